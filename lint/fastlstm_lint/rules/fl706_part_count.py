"""FL706: a tensor that is unpacked or split into another number of parts."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL706",
    name="part-count",
    summary="a tensor that is unpacked or split into another number of parts",
    torch="crash",
    general=True,
    explanation="""
chunk(n) gives at most n pieces: 7 entries in 4 chunks are 4 of two, 6 in 4 are 3. The sizes for split sum to the whole
axis. Unpacking a tensor takes its first axis apart.
""",
    wrong=model(
        """
self.lstm = nn.LSTM(5, 6)
self.gates = nn.Linear(6, 6)
""",
        """
self.lstm(x)
a, b, c, d = torch.zeros(4, 6).chunk(4, dim=1)  # FL706
return a, b, c, d
""",
    ),
    right=model(
        """
self.lstm = nn.LSTM(5, 6)
self.gates = nn.Linear(6, 6)
""",
        """
self.lstm(x)
a, b, c, d = torch.zeros(4, 8).chunk(4, dim=1)
return a, b, c, d
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
return torch.zeros(4, 6).split([2, 3], dim=1)  # FL706
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
first, second = torch.zeros(3, 4)  # FL706
return first
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
a, *rest = torch.zeros(4, 7).split(3, dim=1)
b, c, d = torch.zeros(6).chunk(4)
return a, rest, b, c, d
""",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6, 2)",
                """
out, (h, c) = self.lstm(x)
low, high = h
return low, high, out.chunk(3, -1)
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("parts"))
