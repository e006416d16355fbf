"""Loss functions: a scalar, unless told otherwise; the rules look at what they are given."""

from __future__ import annotations

from ..dims import words
from ..tensors import GUESSED
from ..values import Const, Tensor, Value, resolve
from . import dtypes
from .alignment import broadcast
from .dtypes import BOOL, LONG
from .refusal import Refusal, differ, text
from .registry import Site, function

PAIRED = words("mse_loss l1_loss smooth_l1_loss huber_loss kl_div")
"""Losses that broadcast input and target."""

OLD = frozenset(words("reduce size_average"))
"""What was said before there was `reduction`."""

BINARY = words("binary_cross_entropy binary_cross_entropy_with_logits")

DISTANCES = words("soft_margin_loss hinge_embedding_loss poisson_nll_loss")
"""Losses of two tensors that are broadcast, of which nothing else is known."""


@function(*(f"torch.nn.functional.{name}" for name in DISTANCES))
def distance(site: Site, input: Value, target: Value) -> Value | None:
    a, b = resolve(input), resolve(target)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        broadcast(a, b)
    return None


NAMES = ("cross_entropy", "nll_loss", *PAIRED, *BINARY, "ctc_loss")

LOSS_MODULES = words(
    "CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss BCELoss BCEWithLogitsLoss KLDivLoss HuberLoss"
)

FUNCTION_OF = dict(
    zip(
        LOSS_MODULES,
        words(
            "cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss binary_cross_entropy "
            "binary_cross_entropy_with_logits kl_div huber_loss"
        ),
        strict=True,
    )
)


@function(*(f"torch.nn.functional.{name}" for name in NAMES))
def loss(
    site: Site, input: Value, target: Value, weight: Value | None = None, reduction: Value | None = None
) -> Value | None:
    a, b = resolve(input), resolve(target)
    refusal: Refusal | None = None
    result: Value | None = None
    try:
        result = outcome(site.name, a, b, site.keywords.get("reduction", reduction), OLD.isdisjoint(site.keywords))
    except Refusal as each:
        refusal = each
    site.applied({"input": a, "target": b}, result)
    if refusal is not None:
        raise refusal
    return result


def outcome(name: str, a: Value, b: Value, reduction: Value | None, new: bool = True) -> Tensor | None:
    """What a loss gives, where torch takes its input and target; `new` where nothing of `OLD` is given."""
    dtype = a.dtype if isinstance(a, Tensor) else None
    full: Tensor | None = None
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if name in PAIRED:
            full = broadcast(a, b) if name != "kl_div" else broadcast(b, a)
            dtype = dtypes.promoted((a, b))
            if dtypes.is_whole(dtype) and name == "mse_loss":
                word = dtypes.spoken(dtype or "")
                raise Refusal("dtype", f"\"mse_cpu\" not implemented for '{word}'")
        elif name in BINARY:
            _binary(name, a, b)
            full = a
        elif name in ("cross_entropy", "nll_loss"):
            full = _classes(name, a, b)
    guess = frozenset({GUESSED}) if full is not None and GUESSED in full.traits else frozenset()
    if not new:
        return None
    if reduction is None or (isinstance(reduction, Const) and reduction.value in ("mean", "sum")):
        return Tensor((), None, guess, dtype)
    if full is not None and isinstance(reduction, Const) and reduction.value == "none":
        return Tensor(full.axes, None, full.traits & {GUESSED}, dtype)
    return None


def _binary(name: str, a: Tensor, b: Tensor) -> None:
    if a.rank != b.rank or any(map(differ, a.sizes, b.sizes)):
        given, asked = f"torch.Size({text(b.sizes)})", f"torch.Size({text(a.sizes)})"
        sentence = f"Target size ({given}) must be the same as input size ({asked})"
        if name == "binary_cross_entropy":
            sentence = f"Using a target size ({given}) that is different to the input size ({asked}) is deprecated. "
            sentence += "Please ensure they have the same size."
        raise Refusal("loss", sentence)
    if dtypes.is_whole(b.dtype) and dtypes.is_float(a.dtype) and name == "binary_cross_entropy":
        raise Refusal(
            "dtype", f"Found dtype {dtypes.spoken(b.dtype or '')} but expected {dtypes.spoken(a.dtype or '')}"
        )


def _classes(name: str, a: Tensor, b: Tensor) -> Tensor | None:
    """cross_entropy and nll_loss: (C,), (N, C) or (N, C, ...), with class numbers or, for the first, probabilities."""
    if not a.rank:
        raise Refusal("loss", "Expected 1 or more dimensions (got 0)")
    if name == "cross_entropy" and a.rank == b.rank and all(x == y for x, y in zip(a.sizes, b.sizes, strict=True)):
        if dtypes.is_whole(b.dtype):
            word = dtypes.spoken(b.dtype or "")
            raise Refusal("dtype", f"Expected floating point type for target with class probabilities, got {word}")
        _floating(name, a)
        return Tensor((*a.axes[:1], *a.axes[2:]), None, a.traits) if a.rank > 1 else Tensor((), None, a.traits)
    if name == "cross_entropy" and a.rank == b.rank and not any(map(differ, a.sizes, b.sizes)):
        return None  # the sizes may be the same, and the target probabilities
    if name == "cross_entropy":
        _floating(name, a)
    if a.rank != 1 and (not b.rank or differ(a.sizes[0], b.sizes[0])):
        given = b.sizes[0] if b.rank else 0
        sentence = f"Expected input batch_size ({a.sizes[0]}) to match target batch_size ({given})."
        raise Refusal("loss", sentence)
    if a.rank == 1 and b.rank == 1 and differ(b.sizes[0], 1):
        raise Refusal("loss", f"For 1D input, 1D target must have size 1, but got target size: {b.sizes[0]}")
    if a.rank <= 2 and b.rank > 1:
        raise Refusal("loss", "0D or 1D target tensor expected, multi-target not supported")
    if a.rank == 4 and b.rank != 3:
        sentence = f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {b.rank}"
        raise Refusal("loss", sentence)
    wanted = (a.sizes[0], *a.sizes[2:])
    if a.rank > 2 and (b.rank != len(wanted) or any(map(differ, b.sizes, wanted))):
        sentence = f"Expected target size {text(wanted)}, got {text(b.sizes)}"
        if a.rank == 4:
            sentence = f"size mismatch (got input: {text(a.sizes)} , target: {text(b.sizes)}"
        raise Refusal("loss", sentence)
    if b.dtype not in (None, LONG, "uint8"):
        sentence = f"expected target dtype to be Long or Byte, but got {dtypes.spoken(b.dtype)}"
        # Floating numbers may be the probabilities of classes, if the input has other axes than it is taken to have.
        raise Refusal("dtype", sentence, sure=dtypes.is_whole(b.dtype) or GUESSED not in a.traits)
    _floating(name, a)
    count = a.sizes[1].value if a.rank > 1 else a.sizes[0].value
    if count == 0 and b.numbers is not None and 0 not in b.numbers:
        raise Refusal("loss", "Target 0 is out of bounds.")
    for number in b.contents or ():
        if count is not None and not 0 <= number < count and number != -100:
            raise Refusal("loss", f"Target {number} is out of bounds.")
    return Tensor(b.axes, None, (a.traits | b.traits) & {GUESSED})


def _floating(name: str, a: Tensor) -> None:
    if dtypes.is_whole(a.dtype):
        kernel = "nll_loss_out_frame" if name == "nll_loss" else "log_softmax_lastdim_kernel_impl"
        word = "Bool" if a.dtype == BOOL else dtypes.spoken(a.dtype or "")
        raise Refusal("dtype", f"\"{kernel}\" not implemented for '{word}'", sure=True)
