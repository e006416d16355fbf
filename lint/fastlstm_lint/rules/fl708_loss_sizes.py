"""FL708: a loss whose input and target do not fit."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL708",
    name="loss-sizes",
    summary="a loss whose input and target do not fit",
    torch="crash",
    general=True,
    explanation="""
cross_entropy and nll_loss take (N, C) with targets (N,), or (N, C, ...) with (N, ...): classes on axis 1. Losses of
pairs of numbers take two tensors of the same sizes.
""",
    wrong=model(
        "self.rnn = nn.RNN(5, 6)",
        """
self.rnn(x)
logits = torch.zeros(7, 4, 3)
return F.cross_entropy(logits.reshape(-1, 3), torch.zeros(4, dtype=torch.long))  # FL708
""",
    ),
    right=model(
        "self.rnn = nn.RNN(5, 6)",
        """
self.rnn(x)
logits = torch.zeros(7, 4, 3)
return F.cross_entropy(logits.reshape(-1, 3), torch.zeros(28, dtype=torch.long))
""",
    ),
    invalid=(
        Wrong(
            model(
                """
self.rnn = nn.RNN(5, 6)
self.loss = nn.BCEWithLogitsLoss()
""",
                """
self.rnn(x)
return self.loss(torch.zeros(4, 1), torch.zeros(4))  # FL708
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.rnn = nn.RNN(5, 6)",
                """
self.rnn(x)
return F.nll_loss(torch.zeros(4, 3), torch.zeros(4, 1, dtype=torch.long))  # FL708
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                """
self.rnn = nn.RNN(5, 6, batch_first=True)
self.loss = nn.CrossEntropyLoss()
""",
                """
out = self.rnn(x)[0]
target = torch.zeros(out.shape[:2], dtype=torch.long)
return self.loss(out.transpose(1, 2), target), F.mse_loss(out, out)
""",
            )
        ),
        Right(
            model(
                "self.rnn = nn.RNN(5, 6)",
                """
logits = self.rnn(x)[1][0]
return F.cross_entropy(logits, logits.softmax(1))
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("loss"))
