"""FL711: a tuple where torch takes a tensor, or a tensor where it takes a tuple."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL711",
    name="tuple-as-tensor",
    summary="a tuple where torch takes a tensor, or a tensor where it takes a tuple",
    torch="crash",
    general=True,
    explanation="""
A layer returns a tuple, and an LSTM's state is one. Methods, operators and functions of tensors take their items.
cat and stack take a list or tuple.
""",
    wrong=model(
        """
self.lstm = nn.LSTM(5, 6)
self.head = nn.Linear(6, 2)
""",
        """
output, state = self.lstm(x)
return self.head(state.squeeze(0))  # FL711
""",
    ),
    right=model(
        """
self.lstm = nn.LSTM(5, 6)
self.head = nn.Linear(6, 2)
""",
        """
output, (h_n, c_n) = self.lstm(x)
return self.head(h_n.squeeze(0))
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
output, state = self.lstm(x)
return output + state  # FL711
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                "return torch.cat(self.lstm(x)[0], 1)  # FL711",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                "return torch.einsum('tbh,tbh->tb', (self.lstm(x), x))  # FL711",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model("self.lstm = nn.LSTM(5, 6)", "y, _ = self.lstm(x)\nreturn torch.einsum('tbh,tbh->tb', (y, y))"),
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
output, state = self.lstm(x)
return torch.cat(state, -1), state + (output,), [*state] * 2, x.max(1).values, x.shape.numel()
""",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "return torch.stack(self.gru(x)[1].unbind()), torch.cat(x.split(2))",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("type"))
