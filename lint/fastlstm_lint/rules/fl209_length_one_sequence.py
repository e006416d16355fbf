"""FL209: a sequence of one step, without a state."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import LayerCalled
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL209",
    name="length-one-sequence",
    summary="the sequence has one step and no state is carried: the layer never recurs",
    torch="silent",
    explanation="""
A recurrent layer that gets one time step and starts from zeros every time is a feed-forward layer with unused
recurrent weights. It usually comes from `unsqueeze` on the wrong axis, or from `view(batch, 1, features)` where the
features are the steps. If stepping was meant, pass the state of the step before.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)",
        "output, _ = self.lstm(x.unsqueeze(1))  # FL209\nreturn output[:, -1]",
    ),
    right=model(
        "self.lstm = nn.LSTM(1, 6, batch_first=True)",
        "output, _ = self.lstm(x.unsqueeze(2))\nreturn output[:, -1]",
    ),
    example_input="B=4 I=5",
    invalid=(
        Wrong(
            model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.view(1, -1, 5))  # FL209\nreturn output"),
            "differs",
            "T=7 I=5",
            fixed=model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.view(-1, 1, 5))\nreturn output"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.state = None",
                "output, self.state = self.gru(x.unsqueeze(0), self.state)\nreturn output",
            ),
            "B=4 I=5",
        ),
        Right(model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.unsqueeze(1))\nreturn output"), "T=7 I=5"),
    ),
    likely=True,
    unfixable=(
        "Which axis was meant to be time is not in the program: it may be the one that was put in with size "
        "1, or one that a reshape took away."
    ),
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    if fact.layer.is_cell or fact.packed or fact.state is not None or fact.time != 1 or fact.batch == 1:
        return
    if fact.where.in_class and not fact.where.loops and fact.batch is not None:
        yield Problem(
            fact.node,
            "the sequence has one time step and no state is passed, so the layer never recurs; is time another axis?",
            fact.layer,
        )
