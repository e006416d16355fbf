"""FL103: a 2-D state with a 3-D input, or the reverse."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of
from ..signatures.recurrent import given_states
from ..values import Tensor
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL103",
    name="state-rank",
    summary="an initial state has another number of axes than the input asks for",
    torch="crash",
    explanation="""
A batched input (three axes) needs states with three axes, (layers * directions, batch, hidden), also for a single
layer. An unbatched input (two axes) needs states with two. Cells take (batch, hidden) with a (batch, features) input.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "h_0 = torch.zeros(x.size(0), 6)\nreturn self.gru(x, h_0)[0]  # FL103",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "h_0 = torch.zeros(1, x.size(0), 6)\nreturn self.gru(x, h_0)[0]",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
steps, batch, _ = x.shape
state = (torch.zeros(batch, 6), torch.zeros(batch, 6))
return self.lstm(x, state)[0]  # FL103
""",
            ),
            "crash",
            "T=7 B=4 I=5",
        ),
        Wrong(
            model(
                "self.cell = nn.GRUCell(5, 6)",
                "return self.cell(x[:, 0, :], torch.zeros(1, x.size(0), 6))  # FL103",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.cell = nn.LSTMCell(5, 6)",
                """
shape = (x.size(1), 6) if len(x) else (6,)
h, c = torch.zeros(*shape), torch.zeros(*shape, 6)
for step in x:
    h, c = self.cell(step, (h, c))  # FL103
return h
""",
            ),
            "crash",
            "T=7 B=4 I=5",
        ),
    ),
    valid=(
        Right(
            model("self.gru = nn.GRU(5, 6)", "return self.gru(x[:, 0, :], torch.zeros(1, 6))[0]"),
            "T=7 B=4 I=5",
        ),
        Right(model("self.cell = nn.GRUCell(5, 6)", "return self.cell(x, torch.zeros(x.size(0), 6))"), "B=4 I=5"),
    ),
    fixable="unsafe",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer, value = fact.layer, fact.input
    states = [(name, state) for name, state in given_states(layer, fact.state) if isinstance(state, Tensor)]
    if len({state.rank for _, state in states}) > 1:
        told = " and ".join(f"{name} is {state} with {state.rank} axes" for name, state in states)
        yield Problem(fact.node, f"{told}: both states of a layer have the same shape", layer)
        return
    if fact.packed:
        wanted = 3
    elif isinstance(value, Tensor):
        wanted = value.rank
    else:
        return
    for name, state in states:
        if state.rank != wanted and {state.rank, wanted} == {2, 3}:
            if fact.assumed and state.sizes[0] not in (fact.batch, fact.time):
                return  # the input may have the other number of axes
            edits: tuple[tuple[cst.CSTNode, str], ...] = ()
            if wanted == 3 and layer.rows == 1 and isinstance(fact.state, Tensor) and fact.state_node is not None:
                edits = ((fact.state_node, f"{code_of(fact.state_node)}.unsqueeze(0)"),)
            yield Problem(
                fact.node,
                f"{name} is {state} with {state.rank} axes, but the input is {value} with {wanted}; "
                f"expected {layer.state(name[0], fact.batch)}",
                layer,
                edits,
                "Give the state its first axis",
            )
            return
