"""FL802: a cell in a loop over an input that is all there."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import LayerCalled
from ..nodes import code_of
from ._loops import carried_only, inputs_known
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL802",
    name="cell-in-a-loop",
    summary="a loop over time around a cell, where a layer takes the whole sequence",
    torch="slow",
    explanation="""
`nn.LSTMCell` and its like take one step: they are for loops in which something happens between the steps. Where every
step's input is known before the loop and the state goes from step to step as it is, `nn.LSTM` with the same weights
(`weight_ih` is its `weight_ih_l0`) computes the same in one call, and runs the loop in compiled code.
""",
    wrong=model(
        "self.cell = nn.LSTMCell(5, 6)",
        """
h, c = torch.zeros(x.size(0), 6), torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h, c = self.cell(x[:, t], (h, c))  # FL802
return h
""",
    ),
    right=model(
        """
cell, self.lstm = nn.LSTMCell(5, 6), nn.LSTM(5, 6, batch_first=True)
self.lstm.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
""",
        "return self.lstm(x)[1][0][0]",
    ),
    invalid=(
        Wrong(
            model(
                "self.cell = nn.GRUCell(5, 6)",
                """
h = torch.zeros(x.size(0), 6)
for step in x.unbind(1):
    h = self.cell(step, h)  # FL802
return h
""",
            ),
            "slow",
            fixed=model("self.gru = nn.GRU(5, 6, batch_first=True)", "return self.gru(x)[1][0]"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.cell = nn.GRUCell(6, 6)\nself.mix = nn.Linear(5, 6)",
                """
h = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h = self.cell(self.mix(x[:, t]) + h, h)
return h
""",
            )
        ),
        Right(
            model(
                "self.cell = nn.GRUCell(5, 6)",
                """
h = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h = self.cell(x[:, t], h)
    h = torch.dropout(h, 0.5, self.training)
return h
""",
            )
        ),
    ),
    default=False,
    likely=True,
    unfixable="The weights of the cell have other names in a layer, and a loop's outputs are collected in many ways.",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    if not fact.layer.is_cell or not inputs_known(fact) or not carried_only(fact):
        return
    layer = fact.layer.label.removesuffix("Cell")
    yield Problem(
        fact.node,
        f"{code_of(fact.call.func)} steps through an input that is known before the loop: {layer} takes the whole "
        "sequence in one call, faster",
        fact.layer,
    )
