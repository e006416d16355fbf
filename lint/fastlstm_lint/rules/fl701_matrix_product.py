"""FL701: sizes of matrices that cannot be multiplied."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL701",
    name="matrix-product",
    summary="sizes of matrices that cannot be multiplied",
    torch="crash",
    general=True,
    explanation="""
`@`, matmul, bmm, mm, mv, dot and einsum sum over an axis that both sides share: the last of the left, the last but
one of the right. The axes in front of matrices are broadcast by `@`, and must be the same for bmm.
""",
    wrong=model(
        """
self.gru = nn.GRU(5, 6, batch_first=True)
self.weight = nn.Parameter(torch.randn(5, 6))
""",
        """
output, _ = self.gru(x[:, :7, :])
score = torch.randn(4, 5, 7)
return torch.bmm(score, torch.zeros(4, 6, 3))  # FL701
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
output, _ = self.gru(x)
score = torch.randn(4, 5, 7)
return torch.bmm(score, torch.zeros(4, 7, 3))
""",
    ),
    invalid=(
        Wrong(
            model(
                """
self.gru = nn.GRU(5, 6)
self.a = nn.Parameter(torch.randn(3, 6))
self.b = nn.Parameter(torch.randn(3, 2))
""",
                "return self.gru(x)[0] @ (self.a @ self.b)  # FL701",
            ),
            "crash",
        ),
        Wrong(
            model(
                """
self.gru = nn.GRU(5, 6)
self.w = nn.Parameter(torch.randn(6, 6))
""",
                """
h = torch.zeros(4, 5, 7)
return torch.einsum('bij,bkj->bik', h, torch.zeros(4, 5, 6))  # FL701
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
output, h_n = self.gru(x)
return output @ h_n.permute(1, 2, 0)
""",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
a = torch.zeros(1, 2, 3)
b = torch.zeros(4, 3, 5)
self.gru(x)
return a @ b @ torch.zeros(5)
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("product"))
