"""Loss functions: a scalar, unless told otherwise; the rules look at what they are given."""

from __future__ import annotations

from ..dims import words
from ..values import Tensor, Value, resolve
from .registry import Site, function

NAMES = words(
    "cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits kl_div huber_loss ctc_loss"
)

LOSS_MODULES = words(
    "CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss BCELoss BCEWithLogitsLoss KLDivLoss HuberLoss"
)


@function(*(f"torch.nn.functional.{name}" for name in NAMES))
def loss(
    site: Site, input: Value, target: Value, weight: Value | None = None, reduction: Value | None = None
) -> Value | None:
    return site.applied({"input": resolve(input), "target": resolve(target)}, Tensor(()) if reduction is None else None)
