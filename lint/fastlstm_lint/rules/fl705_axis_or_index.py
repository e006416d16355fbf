"""FL705: an axis or index that the tensor does not have."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL705",
    name="axis-or-index",
    summary="an axis or index that the tensor does not have",
    torch="crash",
    general=True,
    explanation="""
A tensor of n axes has the axes -n to n-1, and takes at most n indices; permute names each axis once. An index is
below the size of its axis. The output of an unbatched call has two axes, a state taken by `h_n[-1]` has one less than
h_n.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)",
        """
self.lstm(x)
h = torch.zeros(4, 6)
return h.transpose(1, 2)  # FL705
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)",
        """
self.lstm(x)
h = torch.zeros(4, 6)
return h.transpose(0, 1)
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
h = torch.zeros(2, 4, 6)
return h[2]  # FL705
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
return torch.zeros(4, 6).permute(1, 0, 2)  # FL705
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
h = self.lstm(x)[1][0]
return h[-1, 0, None, ..., :3], h.unsqueeze(3), h.sum((0, -1)), h.squeeze(0).softmax(-1)
""",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
self.lstm(x)
h = torch.zeros(2, 4)
return h[1], h[-2], h[:, 9:], h[[0, 1, 0]], h.flatten(0, -1)
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("dim"))
