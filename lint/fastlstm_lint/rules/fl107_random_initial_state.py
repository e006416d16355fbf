"""FL107: a random initial state made inside the model."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of
from ..signatures.recurrent import given_states
from ..values import Tensor
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL107",
    name="random-initial-state",
    summary="the initial state is drawn at random in every forward pass",
    torch="silent",
    explanation="""
A state from `torch.randn` or `torch.rand` makes the model's output random: the same input gives another answer each
time, in evaluation too. It does not initialise anything, as random weights do. Start from zeros (pass no state), or
learn the initial state as an `nn.Parameter`.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
h_0 = torch.randn(1, x.size(1), 6)  # FL107
c_0 = torch.randn(1, x.size(1), 6)
return self.lstm(x, (h_0, c_0))[0]
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
h_0 = torch.zeros(1, x.size(1), 6)
c_0 = torch.zeros(1, x.size(1), 6)
return self.lstm(x, (h_0, c_0))[0]
""",
    ),
    example_input="T=7 B=4 I=5",
    invalid=(
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, hidden=6):
        super().__init__()
        self.hidden = hidden
        self.gru = nn.GRU(5, hidden, batch_first=True)

    def init_hidden(self, batch):
        return torch.rand(1, batch, self.hidden)  # FL107

    def forward(self, x):
        return self.gru(x, self.init_hidden(len(x)))[0]
""",
            "differs",
        ),
        Wrong(
            model(
                "self.cell = nn.LSTMCell(5, 6)",
                """
h = torch.zeros(x.size(0), 6)
c = x.new_empty(x.size(0), 6).normal_()
nn.init.xavier_normal_(h)  # FL107
for t in range(x.size(1)):
    h, c = self.cell(x[:, t], (h, c))
return h
""",
            ),
            "differs",
            fixed=model(
                "self.cell = nn.LSTMCell(5, 6)",
                """
h = c = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h, c = self.cell(x[:, t], (h, c))
return h
""",
            ),
        ),
    ),
    valid=(
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, 1, 6))
        self.gru = nn.GRU(5, 6, batch_first=True)

    def forward(self, x):
        return self.gru(x, self.start.expand(1, x.size(0), 6).contiguous())[0]
"""
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nnn.init.orthogonal_(self.gru.weight_hh_l0)",
                "h = torch.empty(1, x.size(1), 6).normal_()\nnn.init.zeros_(h)\nreturn self.gru(x, h)[0]",
            )
        ),
        Right(
            """
h_0 = torch.randn(2, 3, 20)
output, h_n = nn.GRU(10, 20, 2)(torch.randn(5, 3, 10), h_0)

def Model():
    return nn.Linear(5, 2)
"""
        ),
        Right(
            """
import unittest


class Test(unittest.TestCase):
    def test_the_same_state_twice(self):
        gru, x, h = nn.GRU(5, 6), torch.randn(7, 4, 5), torch.randn(1, 4, 6)
        self.assertTrue(torch.equal(gru(x, h)[0], gru(x, h)[0]))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)
        self.start = torch.randn(1, 4, 6)

    def forward(self, x, h=None):
        return self.gru(x, self.start if h is None else h)[0]


Model()(torch.zeros(7, 4, 5), torch.randn(1, 4, 6))
""",
            "T=7 B=4 I=5",
        ),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    if not fact.where.in_class:
        return
    random = [
        (name, state, state.origin)
        for name, state in given_states(fact.layer, fact.state)
        if isinstance(state, Tensor) and state.origin is not None and {"random", "created"} <= state.traits
    ]
    # Drawn by the caller, or in the constructor: once, and the same in every call.
    random = [each for each in random if each[2].inside and each[2].drawn is not None]
    if not random:
        return
    edits: dict[int, tuple[cst.CSTNode, str]] = {}
    for _, _, origin in random:
        node = origin.node
        if node is origin.drawn and isinstance(node, cst.Call) and code_of(node.func) in ("torch.randn", "torch.rand"):
            edits[id(node)] = (node.func, "torch.zeros")
    names = " and ".join(name for name, _, _ in random)
    yield Problem(
        random[0][2].drawn,
        f"{names} {'is' if len(random) == 1 else 'are'} drawn at random in every call, so the same input gives another "
        "output each time; start from zeros, or learn the state as an nn.Parameter",
        fact.layer,
        tuple(edits.values()) if len(edits) == len({id(origin) for _, _, origin in random}) else (),
        "Start from zeros",
    )
