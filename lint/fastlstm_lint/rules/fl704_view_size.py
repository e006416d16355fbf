"""FL704: a view or reshape to another number of entries, or of memory that is not in that order."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL704",
    name="view-size",
    summary="a view or reshape to another number of entries, or of memory that is not in that order",
    torch="crash",
    general=True,
    explanation="""
view, reshape and unflatten keep the number of entries; one size may be -1. view also keeps the memory: after transpose,
permute or expand only reshape can merge axes, since it copies. A size is never negative.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
self.lstm(x)
h = torch.zeros(2, 4, 6)
return h.view(4, 10)  # FL704
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
self.lstm(x)
h = torch.zeros(2, 4, 6)
return h.view(4, 12)
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
h = torch.zeros(3, 5, 7)
return h.permute(2, 0, 1).view(105)  # FL704
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
return torch.zeros(3, 10).unflatten(1, (3, 4))  # FL704
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
h = torch.zeros(3, 5, 7)
return h.permute(2, 0, 1).reshape(7, -1), h[:, :2].view(3, 14), h[1:].view(-1)
""",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
out, _ = self.lstm(x)
return out.contiguous().view(-1, 6), out.reshape(x.size(0), -1)
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("view"))
