"""FL212: a (batch, features) value taken as one sequence."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import BATCH
from ..facts import LayerCalled
from ..values import Tensor
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL212",
    name="unbatched-input",
    summary="a 2-D (batch, features) input is taken as one unbatched sequence",
    torch="silent",
    explanation="""
A recurrent layer takes a 2-D input as one sequence without a batch: (time, features). A (batch, features) value is
read as one long sequence whose steps are the samples, so each sample's output depends on the samples before it. Give
the input its time axis.
""",
    wrong=model(
        "self.conv = nn.Conv2d(1, 2, 3)\nself.lstm = nn.LSTM(30, 6)",
        "features = self.conv(x.unsqueeze(1))\nreturn self.lstm(features.flatten(1))[0]  # FL212",
    ),
    right=model(
        "self.conv = nn.Conv2d(1, 2, 3)\nself.lstm = nn.LSTM(6, 6, batch_first=True)",
        "features = self.conv(x.unsqueeze(1))\nsteps = features.permute(0, 2, 1, 3).flatten(2)\n"
        "return self.lstm(steps)[0]",
    ),
    example_input="B=4 T=7 I=5",
    invalid=(
        Wrong(
            model(
                "self.first = nn.GRU(5, 6, batch_first=True)\nself.second = nn.GRU(6, 6)",
                "output, h_n = self.first(x)\nreturn self.second(output[:, 0])[0]  # FL212",
            ),
            "mixes",
        ),
    ),
    valid=(
        Right(model("self.gru = nn.GRU(5, 6)", "return self.gru(x)[0]"), "T=7 I=5"),
        Right(
            model(
                "self.first = nn.GRU(5, 6, batch_first=True)\nself.cell = nn.GRUCell(6, 6)",
                "output, h_n = self.first(x)\nreturn self.cell(output[:, 0])",
            )
        ),
    ),
    likely=True,
    unfixable=(
        "The time axis was lost where the input was made, and only its author knows which one it was. A new "
        "axis of size 1 would silence this rule and leave a layer that never recurs (FL209)."
    ),
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    value = fact.input
    if fact.layer.is_cell or not isinstance(value, Tensor) or value.rank != 2 or fact.meanings[0] != BATCH:
        return
    if value.sizes[0] != 1:
        yield Problem(
            fact.node,
            f"the input {value} has no time axis and is read as one sequence of {value.sizes[0]} steps: "
            "the samples become time steps",
            fact.layer,
        )
