"""FL102: the first size of an initial state is not layers * directions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .. import cst
from ..dims import Dim
from ..facts import LayerCalled
from ..nodes import code_of
from ..signatures.recurrent import given_states
from ..values import Tensor
from ._code import argument, names_in
from ._sizes import always_differ
from ._states import Edits, change_states, is_taken, seen_from
from .base import Problem, Right, Rule, Wrong

RULE = Rule(
    code="FL102",
    name="state-layers-or-directions",
    summary="first size of an initial state is not num_layers * directions",
    torch="crash",
    explanation="""
A stack of L layers in D directions carries L*D states, one row each: h_0 and c_0 are (L*D, batch, hidden). A
bidirectional layer needs twice as many rows as layers, a stack needs one per layer.
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, num_layers=2, bidirectional=True)

    def forward(self, x):
        h_0 = torch.zeros(2, x.size(1), 6)
        return self.gru(x, h_0)[0]  # FL102
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, num_layers=2, bidirectional=True)

    def forward(self, x):
        h_0 = torch.zeros(2 * 2, x.size(1), 6)
        return self.gru(x, h_0)[0]
""",
    invalid=(
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, hidden=6, layers=2):
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.lstm = nn.LSTM(5, hidden, layers, batch_first=True, bidirectional=True)

    def forward(self, x):
        h_0 = torch.zeros(self.layers, x.size(0), self.hidden)
        c_0 = torch.zeros(self.layers, x.size(0), self.hidden)
        output, _ = self.lstm(x, (h_0, c_0))  # FL102
        return output
""",
            "crash",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, num_layers=2):
        super().__init__()
        self.rnn = nn.RNN(5, 6, num_layers)

    def forward(self, x):
        return self.rnn(x, torch.zeros(1, x.size(1), 6))[0]  # FL102
""",
            "crash",
        ),
        Wrong(
            """
class Net(nn.Module):
    def __init__(self, width, layers):
        super().__init__()
        self.width, self.layers = width, layers
        self.gru = nn.GRU(5, width)

    def forward(self, x):
        return self.gru(x, torch.zeros(self.layers, x.size(1), self.width))[0]  # FL102


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = [Net(*sizes) for sizes in ((6, 2),)]

    def forward(self, x):
        return self.parts[0](x)
""",
            "crash",
        ),
    ),
    valid=(
        Right(
            """
class Model(nn.Module):
    def __init__(self, num_layers=2, bidirectional=True):
        super().__init__()
        self.num_layers = num_layers
        self.num_directions = 2 if bidirectional else 1
        self.rnn = nn.RNN(5, 6, num_layers, bidirectional=bidirectional)

    def forward(self, x):
        h_0 = torch.zeros(self.num_layers * self.num_directions, x.size(1), 6)
        return self.rnn(x, h_0)[0]
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self, num_layers=1, bidirectional=False):
        super().__init__()
        self.rows = num_layers
        if bidirectional:
            self.rows *= 2
        self.rnn = nn.RNN(5, 6, num_layers, bidirectional=bidirectional)

    def forward(self, x):
        return self.rnn(x, torch.zeros(self.rows, x.size(1), 6))[0]
"""
        ),
    ),
    fixable="unsafe",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer = fact.layer
    if layer.is_cell:
        return
    for name, state in given_states(layer, fact.state):
        if not isinstance(state, Tensor) or state.rank != 3:
            continue
        rows, second, _ = state.sizes
        if second != layer.rows and (always_differ(rows, layer.rows) or _another_count(fact, rows)):
            factors = f"num_layers * directions = {layer.num_layers} * {layer.directions}"
            yield Problem(
                fact.node,
                f"the first size of {name} is {rows}, but this {layer.label} needs {factors} rows; "
                f"{name} is {state}, expected {layer.state(name[0], fact.batch)}",
                layer,
                change_states(fact, partial(_with_rows, fact, rows)),
                "Make one row for each layer and direction",
            )
            return


def _another_count(fact: LayerCalled, rows: Dim) -> bool:
    """Whether the rows are a number of layers that the constructor takes and does not hand to the layer.

    The program may still give 1 for it; where it makes objects of the class itself, those are looked at.
    """
    layer, instance = fact.layer, fact.where.instance
    symbol = rows.symbol
    if symbol is None or instance is None or instance.cls.is_made or "layer" not in symbol.name.lower():
        return False
    own = argument(layer.node, 2, "num_layers") if isinstance(layer.node, cst.Call) else rows
    return layer.rows == 1 and (own is None or isinstance(own, cst.Integer))


def _with_rows(fact: LayerCalled, rows: Dim, sizes: list[cst.BaseExpression]) -> Edits:
    wanted, layer = fact.layer.rows, code_of(fact.call.func)
    states = [state for _, state in given_states(fact.layer, fact.state) if isinstance(state, Tensor)]
    if is_taken(sizes[0]):
        return ()
    if any(state.sizes[-1] != fact.layer.output_size for state in states):
        return ()  # a half repair raises as before
    if wanted.value is not None and not names_in(sizes[0]):
        return ((sizes[0], str(wanted)),)
    times = wanted.exact_div(rows)
    if times is not None and times.value not in (None, 1):
        return ((sizes[0], f"{_factor(sizes[0])} * {times}"),)
    if fact.layer.directions.value is None or not seen_from(sizes[0], layer, fact.where):
        return ()
    return ((sizes[0], f"{layer}.num_layers" + (" * 2" if fact.layer.directions == 2 else "")),)


def _factor(size: cst.BaseExpression) -> str:
    plain = isinstance(size, (cst.Name, cst.Attribute, cst.Integer))
    return code_of(size) if plain else f"({code_of(size)})"
