"""FL702: sizes that broadcasting cannot bring together."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL702",
    name="broadcast-sizes",
    summary="sizes that broadcasting cannot bring together",
    torch="crash",
    general=True,
    explanation="""
Axes are aligned from the last. Two sizes must be the same, or one of them 1; an axis that one side lacks counts as 1.
What is written in place (`x += y`, `x.copy_(y)`) keeps its own sizes, and expand changes only sizes that are 1.
""",
    wrong=model(
        """
self.rnn = nn.RNN(5, 6)
self.scale = nn.Parameter(torch.ones(4, 7))
""",
        """
_, h_n = self.rnn(x)
mask = torch.ones(4, 5)
return h_n.sum() + self.scale * mask  # FL702
""",
    ),
    right=model(
        """
self.rnn = nn.RNN(5, 6)
self.scale = nn.Parameter(torch.ones(4, 7))
""",
        """
_, h_n = self.rnn(x)
mask = torch.ones(4, 7)
return h_n.sum() + self.scale * mask
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.rnn = nn.RNN(5, 6)",
                """
total = torch.zeros(3, 1)
total += torch.ones(3, 2)  # FL702
return self.rnn(x)[0], total
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.rnn = nn.RNN(5, 6)",
                """
start = torch.zeros(2, 1, 6)
return self.rnn(x)[0], start.expand(3, 4, 6)  # FL702
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.rnn = nn.RNN(5, 6)",
                """
start = torch.zeros(1, 1, 6)
return self.rnn(x, start.expand(1, x.size(1), 6).contiguous())[0] * torch.ones(6)
""",
            )
        ),
        Right(
            model(
                """
self.rnn = nn.RNN(5, 6)
self.width = 2 * hidden
""",
                """
a = torch.ones(self.width)
return self.rnn(x)[0], a * torch.ones(self.width // 2 * 2), torch.zeros(0) + torch.ones(1)
""",
                "hidden=3",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("broadcast"))
