"""FL703: tensors that cat or stack cannot join."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL703",
    name="join-sizes",
    summary="tensors that cat or stack cannot join",
    torch="crash",
    general=True,
    explanation="""
cat joins along one axis: the tensors have as many axes as each other and the same sizes on all others. stack makes a
new axis: all sizes are the same. An empty tensor of one axis is left out by cat.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
h_n = torch.zeros(2, 4, 6)
self.gru(x)
return torch.cat([h_n, torch.zeros(2, 3, 6)], dim=2)  # FL703
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
h_n = torch.zeros(2, 4, 6)
self.gru(x)
return torch.cat([h_n, torch.zeros(2, 4, 3)], dim=2)
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
h = torch.zeros(4, 6)
self.gru(x)
return torch.stack([h, torch.zeros(4, 5)])  # FL703
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
h = torch.zeros(4, 6)
self.gru(x)
return torch.cat([h, torch.zeros(6)])  # FL703
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
rows = torch.zeros(0)
for _ in range(2):
    rows = torch.cat([rows, self.gru(x)[1][0]], dim=0)
return rows
""",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
h = self.gru(x)[1]
return torch.cat((h, h, torch.zeros(3, *h.shape[1:])), 0), torch.stack((h, h), -1)
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("join"))
