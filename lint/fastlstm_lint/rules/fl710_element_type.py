"""FL710: element types that an operation does not take or does not mix."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL710",
    name="element-type",
    summary="element types that an operation does not take or does not mix",
    torch="crash",
    general=True,
    explanation="""
Layers, products of matrices and activations take floating numbers; products and weights do not promote. Indices and
class targets are integers, masks are bool. mean, softmax and log_softmax of integers are refused.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
steps = torch.arange(20).reshape(4, 1, 5)
return self.lstm(steps)[0]  # FL710
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
steps = torch.arange(20).reshape(4, 1, 5)
return self.lstm(steps.float())[0]
""",
    ),
    invalid=(
        Wrong(
            model(
                """
self.lstm = nn.LSTM(5, 6)
self.embed = nn.Embedding(9, 5)
""",
                "return self.lstm(self.embed(torch.zeros(7, 4)))[0]  # FL710",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
lengths = torch.tensor([7, 5, 2])
return lengths.mean()  # FL710
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                """
self.lstm = nn.LSTM(5, 6)
self.embed = nn.Embedding(9, 5)
""",
                """
ids = torch.arange(4) * 2
return self.lstm(self.embed(ids))[0] * ids[:, None], ids / 2, (ids / 2).mean()
""",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
out = self.lstm(x)[0]
return out.masked_fill(out > 0, 0.0), torch.where(out > 0, out, 1.0)
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("dtype"))
