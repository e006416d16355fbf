"""FL310: dropout on a layer stack of one."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Made
from ..layers import Recurrent
from ..nodes import code_of, without_argument
from ..values import Const, Num, Opaque, Value
from .base import Problem, Right, Rule, Wrong

RULE = Rule(
    code="FL310",
    name="single-layer-dropout",
    summary="dropout on a recurrent layer with num_layers=1 does nothing",
    torch="warns",
    explanation="""
`dropout=` of a recurrent layer acts between stacked layers, never after the last one. With one layer there is no
place for it: torch warns and drops nothing. Delete the argument, or put an `nn.Dropout` on the output if dropout was
meant there. Deleting it changes no result, so the fix is safe.
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True, dropout=0.5)  # FL310

    def forward(self, x):
        return self.lstm(x)[0]
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.lstm(x)[0])
""",
    invalid=(
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(  # FL310
            input_size=5,
            hidden_size=6,
            num_layers=1,
            dropout=0.3,
        )

    def forward(self, x):
        return self.gru(x)[0]
""",
            "warns",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        self.gru = nn.GRU(5, 6, bidirectional=True, dropout=p)  # FL310

    def forward(self, x):
        return self.gru(x)[0]
""",
            "warns",
        ),
    ),
    valid=(
        Right(
            """
class Encoder(nn.Module):
    def __init__(self, num_layers=2, p=0.5):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, num_layers, dropout=p)

    def forward(self, x):
        return self.lstm(x)[0]


def Model():
    return Encoder(num_layers=1, p=float("0"))
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self, num_layers=1, p=0.5):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, num_layers, dropout=p if num_layers > 1 else 0)

    def forward(self, x):
        return self.lstm(x)[0]
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, 1, dropout=0.0)
        self.stack = nn.LSTM(6, 6, 2, dropout=0.5)

    def forward(self, x):
        return self.stack(self.lstm(x)[0])[0]
"""
        ),
    ),
    fixable="safe",
)


@RULE.on(Made)
def check(fact: Made) -> Iterator[Problem]:
    layer = fact.module
    if not isinstance(layer, Recurrent) or layer.is_cell or layer.num_layers != 1:
        return
    if not isinstance(fact.nodes.get("num_layers", fact.call), (cst.Call, cst.Integer)):
        return  # a setting that happens to be 1 here
    node = fact.nodes.get("dropout")
    if node is None or not _positive(fact.arguments.get("dropout"), node):
        return
    edits = _without(fact.call, node)
    yield Problem(
        fact.node,
        f"dropout={code_of(node)} does nothing: dropout acts between stacked layers, and this {layer.label} has one",
        edits=edits,
        fix="Remove the dropout argument",
        safe=True,
    )


def _positive(value: Value | None, node: cst.BaseExpression) -> bool:
    if isinstance(value, Const):
        return isinstance(value.value, float) and value.value > 0
    if isinstance(value, Num):
        return (value.dim.value or 0) > 0
    # An argument or a setting: whatever it is, it does nothing. An expression may choose 0 where there is one layer.
    return isinstance(value, Opaque) and isinstance(node, (cst.Name, cst.Attribute))


def _without(call: cst.Call, node: cst.BaseExpression) -> tuple[tuple[cst.CSTNode, str], ...]:
    """The call without the argument, where it was given by keyword."""
    at = next((i for i, argument in enumerate(call.args) if argument.value is node), None)
    if at is None or call.args[at].keyword is None:
        return ()
    return ((call, without_argument(call, at)),)
