"""FL201: `output[-1]` of a batch-first output."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..facts import Indexed
from ..naming import BATCH_NAMES, names_of
from ..nodes import code_of
from ..values import Range, int_of
from ._code import whole
from .base import Problem, Right, Rule, Wrong

RULE = Rule(
    code="FL201",
    name="last-sample-not-last-step",
    summary="output[-1] with batch_first=True is the last sample, not the last time step",
    torch="silent",
    explanation="""
With `batch_first=True` the output is (batch, time, features). Index -1 on its first axis takes the last *sample* of
the batch, with all its steps. The shapes often fit what follows, the program trains, and every sample of the batch
but one is ignored. The last step of every sample is `output[:, -1]`.

    memory         s0t0 s0t1 s0t2 | s1t0 s1t1 s1t2
    output[-1]                      s1t0 s1t1 s1t2
    output[:, -1]            s0t2             s1t2
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.head(output[-1])  # FL201
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.head(output[:, -1])
""",
    invalid=(
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)

    def forward(self, x):
        output = self.gru(x)[0]
        last = torch.relu(output)[-1, :, :]  # FL201
        return last
""",
            "differs",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def forward(self, x):
        output, h_n = self.gru(x.transpose(0, 1))
        output = output.transpose(0, 1)
        return output[-1]  # FL201
""",
            "differs",
        ),
    ),
    valid=(
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def forward(self, x):
        output, h_n = self.gru(x)
        return output[-1]
""",
            "T=7 B=4 I=5",
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)

    def forward(self, x):
        output, h_n = self.gru(x)
        return output.permute(1, 0, 2)[-1] + output[-1, -1]
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)

    def forward(self, x):
        output, h_n = self.gru(x.view(1, -1, 5))
        return output[-1]
"""
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source = fact.source
    origin = source.origin
    if origin is None or origin.role != "output" or source.rank not in (2, 3):
        return
    if not (source.axes[0].means(BATCH) and source.axes[1].means(TIME)) or source.sizes[0] == 1:
        return
    if int_of(fact.items[0]) != -1 or not all(isinstance(item, Range) for item in fact.items[1:]):
        return
    if any(not whole(item) for item in fact.items[1:2]):
        return
    if not names_of(source.sizes[1]).isdisjoint(BATCH_NAMES):
        return  # what the program calls the batch was given to the layer as time: FL203
    assert isinstance(fact.node, cst.Subscript)
    rest = [code_of(element).rstrip(", ") for element in fact.node.slice[2:]]
    right = f"{code_of(fact.node.value)}[{', '.join([':', '-1', *rest])}]"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} is the last sample of the batch: the output is {source}. "
        f"The last time step of every sample is {right}",
        origin.layer,
        ((fact.node, right),),
        f"Take the last time step: {right}",
    )
