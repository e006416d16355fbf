"""FL301: a Linear layer that does not take what the recurrent layer gives."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import DIRECTION, FEATURE
from ..dims import Dim
from ..facts import ModuleCalled
from ..layers import Recurrent
from ..nodes import code_of, walk
from ..signatures.recurrent import RECURRENT
from ..values import Function, Tensor, dim_of
from ._code import argument, as_operand
from ._sizes import always_differ, argument_edit
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL301",
    name="linear-in-features",
    summary="a Linear layer's in_features is not the size of the features it gets",
    torch="crash",
    explanation="""
A recurrent output has D*H features: hidden_size, twice that when bidirectional, proj_size instead of hidden_size when
there is a projection. States flattened over layers and directions have L*D*H. A head made for hidden_size does not
fit.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, bidirectional=True)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output)  # FL301",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, bidirectional=True)\nself.head = nn.Linear(12, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output)",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, hidden, num_layers=2, batch_first=True)\nself.head = nn.Linear(hidden, 2)",
                "_, h_n = self.gru(x)\nreturn self.head(h_n.transpose(0, 1).reshape(x.size(0), -1))  # FL301",
                "hidden=6",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, proj_size=3)\nself.head = nn.Sequential(nn.Linear(6, 2), nn.ReLU())",
                "return self.head(self.lstm(x)[0][-1])  # FL301",
            ),
            "crash",
        ),
        Wrong(
            """
class Net(nn.Module):
    def __init__(self, width, both):
        super().__init__()
        self.lstm = nn.LSTM(5, width, batch_first=True, bidirectional=both)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0])  # FL301


def Model(width=6, both=True):
    return Net(width, both)
""",
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, hidden, bidirectional=both)\n"
                "self.head = nn.Linear(hidden * (2 if both else 1), 2)",
                "return self.head(self.gru(x)[0])",
                "hidden=6, both=True",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, 2, bidirectional=True)\nself.head = nn.Linear(24, 2)",
                "_, h_n = self.gru(x)\nreturn self.head(h_n.permute(1, 0, 2).flatten(1))",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(ModuleCalled)
def check(fact: ModuleCalled) -> Iterator[Problem]:
    value, wanted = fact.input, dim_of(fact.module.config.get("in_features"))
    if fact.module.kind != "Linear" or not isinstance(value, Tensor) or not value.rank or wanted is None:
        return
    last = value.axes[-1]
    fact.module.fed.add(last.size)
    if any(word is None for word in last.meaning) or not always_differ(last.size, wanted):
        return
    by_flag = _by_flag(fact, value, wanted)
    yield Problem(
        fact.node,
        f"this Linear takes {wanted} features and gets {last.size}: its input is {value}",
        None if value.origin is None else value.origin.layer,
        by_flag or argument_edit(fact.module.node, 0, "in_features", wanted, last.size),
        "Set in_features to the size of the input",
        either=bool(by_flag),
        mends=lambda: len(fact.module.fed) == 1 or bool(by_flag),
    )


def _by_flag(fact: ModuleCalled, value: Tensor, wanted: Dim) -> tuple[tuple[cst.CSTNode, str], ...]:
    """The edit of a head made for one direction of a layer that has one or two: `width * (2 if both else 1)`."""
    layer = None if value.origin is None or value.origin.mixed else value.origin.layer
    node, made = fact.module.node, getattr(layer, "node", None)
    if not isinstance(layer, Recurrent) or not isinstance(node, cst.Call) or not isinstance(made, cst.Call):
        return ()
    size = argument(node, 0, "in_features")
    flag = argument(made, RECURRENT[layer.kind].split().index("bidirectional"), "bidirectional")
    beside = value.axes[-1].means(DIRECTION, FEATURE) and value.axes[-1].parts[1].size == wanted
    if not beside or not isinstance(flag, (cst.Name, cst.Attribute)) or code_of(flag) in ("True", "False"):
        return ()
    init = None if fact.where.instance is None else fact.where.instance.cls.find("__init__")
    together = {id(each) for each in walk(init.node)} if isinstance(init, Function) else set()
    if size is None or isinstance(size, cst.Integer) or not {id(node), id(made)} <= together:
        return ()
    return ((size, f"{as_operand(size)} * (2 if {code_of(flag)} else 1)"),)
