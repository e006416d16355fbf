"""FL707: an input that a layer or module does not take."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL707",
    name="module-input",
    summary="an input that a layer or module does not take",
    torch="crash",
    general=True,
    explanation="""
Linear takes in_features on the last axis, LayerNorm its normalized_shape, Conv1d and BatchNorm1d their channels on
axis 1, a recurrent layer two or three axes with input_size last, and states of (layers * directions, batch, hidden), of
proj_size in place of hidden for h_0 where it is set. The rules FL1xx and FL3xx name the usual causes.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, proj_size=3)",
        """
state = torch.zeros(1, 4, 6), torch.zeros(1, 4, 6)
return self.lstm(torch.zeros(7, 4, 5), state)[0]  # FL707
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, proj_size=3)",
        """
state = torch.zeros(1, 4, 3), torch.zeros(1, 4, 6)
return self.lstm(torch.zeros(7, 4, 5), state)[0]
""",
    ),
    invalid=(
        Wrong(
            model(
                """
self.lstm = nn.LSTM(5, 6)
self.norm = nn.LayerNorm(7)
""",
                """
self.lstm(x)
return self.norm(torch.zeros(4, 6))  # FL707
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                "return self.gru(torch.zeros(2, 7, 4, 5))[0]  # FL707",
            ),
            "crash",
        ),
        Wrong(
            model(
                """
self.gru = nn.GRU(5, 6)
self.attention = nn.MultiheadAttention(6, 2)
""",
                """
self.gru(x)
q = torch.zeros(7, 4, 6)
return self.attention(q, q[:3, :2], q[:3, :2])  # FL707
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                """
self.gru = nn.GRU(5, 6)
self.norm = nn.LayerNorm(hidden)
self.conv = nn.Conv1d(6, 3, 3, padding=1)
""",
                """
out = self.gru(x)[0]
return self.norm(out), self.conv(out.permute(1, 2, 0))
""",
                "hidden=6",
            )
        ),
        Right(
            model(
                """
self.cell = nn.GRUCell(5, 6)
self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
""",
                """
h = self.cell(x[:, 0], torch.zeros(x.size(0), 6)).unsqueeze(1)
return self.attention(h, h, h)[0]
""",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("module"))
