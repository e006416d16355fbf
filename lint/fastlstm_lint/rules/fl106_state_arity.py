"""FL106: one tensor for an LSTM, or a tuple for a GRU."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of
from ..values import Opaque, Tensor, Tup, resolve
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL106",
    name="state-arity",
    summary="one tensor as the state of an LSTM, or a tuple as the state of a GRU or RNN",
    torch="crash",
    explanation="""
An LSTM carries two states and takes them as a tuple `(h_0, c_0)`; GRU and RNN carry one and take the tensor itself.
The same holds for their cells.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        "h_0 = torch.zeros(1, x.size(1), 6)\nreturn self.lstm(x, h_0)[0]  # FL106",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)",
        "h_0 = torch.zeros(1, x.size(1), 6)\nreturn self.lstm(x, (h_0, torch.zeros_like(h_0)))[0]",
    ),
    example_input="T=7 B=4 I=5",
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                "h_0 = torch.zeros(1, x.size(1), 6)\nreturn self.gru(x, (h_0, h_0))[0]  # FL106",
            ),
            "crash",
            "T=7 B=4 I=5",
        ),
        Wrong(
            model(
                "self.encoder = nn.GRU(5, 6)\nself.cell = nn.LSTMCell(5, 6)",
                "_, h_n = self.encoder(x)\nreturn self.cell(x[0], h_n[-1])[0]  # FL106",
            ),
            "crash",
            "T=7 B=4 I=5",
        ),
        Wrong(
            """
class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6)

    def forward(self, x, h):
        return self.lstm(x, h.detach())[0]  # FL106


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def forward(self, x):
        state = self.inner.lstm(x)[1]
        return self.inner(x, state)
""",
            "crash",
            "T=7 B=4 I=5",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.h = torch.zeros(1, 4, 6)",
                "output, self.h = self.gru(x, self.h.detach())\nreturn output",
            ),
            "T=7 B=4 I=5",
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                "state = [torch.zeros(1, x.size(1), 6), torch.zeros(1, x.size(1), 6)]\nreturn self.lstm(x, state)[0]",
            )
        ),
        Right(
            model("self.cell = nn.LSTMCell(5, 6)", "return self.cell(torch.ones(5), torch.zeros(2, 6))[0]"), "B=4 I=5"
        ),
        Right(
            model(
                "self.encoder = nn.LSTM(5, 6)\nself.decoder = nn.GRU(5, 6)",
                "_, state = self.encoder(x)\nreturn self.decoder(x, state[0])[0]",
            )
        ),
    ),
    fixable="safe",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer, node = fact.layer, fact.state_node
    if fact.state is None or layer.has_cell_state is None:
        return
    state = resolve(fact.state)
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    tensor = isinstance(state, Opaque) and "tensor" in state.traits
    if layer.has_cell_state and tensor:
        given = "this" if node is None else code_of(node)
        message = f"{layer.label} takes a tuple (h_0, c_0), and {given} is one tensor: a tuple has no detach()"
    elif layer.has_cell_state and isinstance(state, Tensor):
        if layer.is_cell and isinstance(fact.input, Tensor) and fact.input.rank == 1 and state.rank == 2:
            return  # of one sample torch takes the first two rows
        if node is not None:
            edits = ((node, f"({code_of(node)}, torch.zeros_like({code_of(node)}))"),)
        message = f"{layer.label} takes a tuple (h_0, c_0), this is one tensor {state}"
    elif not layer.has_cell_state and isinstance(state, Tup) and len(state.items) == 2:
        if isinstance(node, cst.Tuple):
            edits = ((node, code_of(node.elements[0].value)),)
        elif node is not None:
            edits = ((node, f"{code_of(node)}[0]"),)
        message = f"{layer.label} carries one state and takes a tensor, this is a tuple of two"
    else:
        return
    yield Problem(fact.node, message, layer, edits, "Pass the state as the layer takes it", safe=True)
