"""FL101: an initial state is built batch-first."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of
from ..signatures.recurrent import given_states
from ..values import Tensor
from ._states import Edits, change_states
from .base import Problem, Right, Rule, Wrong

RULE = Rule(
    code="FL101",
    name="state-batch-first",
    summary="initial state built as (batch, layers, hidden)",
    torch="crash",
    explanation="""
`batch_first=True` moves the batch axis of the input and the output to the front. It does not touch the states: h_0,
c_0, h_n and c_n are (layers * directions, batch, hidden) whatever the layer was told. torch raises, unless the batch
happens to be as large as layers * directions; then it computes with the axes exchanged.
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)

    def forward(self, x):
        h_0 = torch.zeros(x.size(0), 2, 6)
        c_0 = torch.zeros(x.size(0), 2, 6)
        output, _ = self.lstm(x, (h_0, c_0))  # FL101
        return output
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)

    def forward(self, x):
        h_0 = torch.zeros(2, x.size(0), 6)
        c_0 = torch.zeros(2, x.size(0), 6)
        output, _ = self.lstm(x, (h_0, c_0))
        return output
""",
    invalid=(
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, hidden_size=6, num_layers=3):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.gru = nn.GRU(5, hidden_size, num_layers, batch_first=True)

    def init_hidden(self, batch):
        return torch.zeros(batch, self.num_layers, self.hidden_size)

    def forward(self, x):
        h_0 = self.init_hidden(x.shape[0])
        output, h_n = self.gru(x, h_0)  # FL101
        return output
""",
            "crash",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(5, 6, bidirectional=True, batch_first=True)

    def forward(self, x):
        batch, steps, _ = x.size()
        output, h_n = self.rnn(x, x.new_zeros(batch, 2, 6))  # FL101
        return output
""",
            "crash",
        ),
    ),
    valid=(
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, 2, batch_first=True)

    def forward(self, x):
        h_0 = torch.zeros(x.size(0), 2, 6).transpose(0, 1).contiguous()
        output, h_n = self.gru(x, h_0)
        return output
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, 2, batch_first=True)

    def forward(self, x, state=None):
        if state is None:
            state = [torch.zeros(2, x.size(0), 6), torch.zeros(2, x.size(0), 6)]
        output, state = self.lstm(x, state)
        return output
"""
        ),
    ),
    fixable="unsafe",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer, batch = fact.layer, fact.batch
    if layer.is_cell or batch is None:
        return
    for name, state in given_states(layer, fact.state):
        if not isinstance(state, Tensor) or state.rank != 3:
            continue
        first, second, _ = state.sizes
        if first == batch and second == layer.rows and first != layer.rows:
            expected = layer.state(name[0], batch)
            yield Problem(
                fact.node,
                f"{name} is {state}: batch-first, but initial states never are, whatever batch_first says; "
                f"expected {expected}",
                layer,
                change_states(fact, _exchanged),
                "Put the layers in front of the batch",
            )
            return


def _exchanged(sizes: list[cst.BaseExpression]) -> Edits:
    return ((sizes[0], code_of(sizes[1])), (sizes[1], code_of(sizes[0])))
