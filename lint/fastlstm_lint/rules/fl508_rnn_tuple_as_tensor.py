"""FL508: the tuple that a layer returns used as a tensor."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Misused, ModuleCalled
from ..nodes import code_of, walk
from ..values import Tensor, Tup
from ._code import indices_of, leaves
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL508",
    name="rnn-tuple-as-tensor",
    summary="the result of a recurrent layer is used without taking the output out of it",
    torch="crash",
    explanation="""
A recurrent layer returns `(output, state)`, in torch as here. (Keras returns the output alone.) Unpack it, or take
item 0. So is the state of an LSTM, `(h_n, c_n)`: `state[-1]` is c_n, and not the last layer's h_n.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output = self.lstm(x)\nreturn self.head(output)  # FL508",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output)",
    ),
    invalid=(
        Wrong(model("self.gru = nn.GRU(5, 6)", "return self.gru(x).transpose(0, 1)  # FL508"), "crash"),
        Wrong(model("self.a = nn.GRU(5, 6)\nself.b = nn.GRU(6, 6)", "return self.b(self.a(x))[0]  # FL508"), "crash"),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.cell = nn.GRUCell(6, 6)",
                "h = self.cell(self.gru(x)[0][-1])\nreturn h.view(-1, 6)",
            )
        ),
    ),
    fixable="safe",
)


def _edit(node: cst.BaseExpression) -> tuple[tuple[cst.CSTNode, str], ...]:
    simple = isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript))
    return ((node, f"{code_of(node)}[0]"),) if simple else ()


@RULE.on(Misused)
def check_pair(fact: Misused) -> Iterator[Problem]:
    """The last of an LSTM's pair, where the program takes nothing else out of it: h_n is never read."""
    node, value = fact.node, fact.value
    if not isinstance(value, Tup) or value.kind != "state" or not isinstance(node, cst.Subscript):
        return
    name = code_of(node.value)
    if isinstance(node.value, cst.Name) and _read(fact.where.body, name) == indices_of(fact.where, name) == {"-1"}:
        layer = next((each.origin.layer for each in value.items if isinstance(each, Tensor) and each.origin), None)
        message = f"{name} is the pair (h_n, c_n), so this is c_n; the last layer's h_n is {name}[0][-1]"
        yield Problem(node, message, layer)


def _read(body: cst.CSTNode, name: str) -> set[str]:
    """What is read of a name in a function: its indices, and "all" where it stands alone."""
    found: set[str] = set()
    inside: set[int] = set()
    for each in walk(body):
        if isinstance(each, cst.Subscript) and code_of(each.value) == name:
            inside.add(id(each.value))
            found.add(", ".join(code_of(item) for item in each.slice))
        elif isinstance(each, cst.AssignTarget):
            inside.update(id(leaf) for leaf in leaves(each.target))
    names = [each for each in walk(body) if isinstance(each, cst.Name) and each.value == name]
    return found | ({"all"} if any(id(each) not in inside for each in names) else set())


@RULE.on(Misused)
def check(fact: Misused) -> Iterator[Problem]:
    if not isinstance(fact.value, Tup) or not isinstance(fact.node, cst.Call):
        return
    func = fact.node.func
    inner = func.value if fact.use.startswith(".") and isinstance(func, cst.Attribute) else None
    target = inner if inner is not None else fact.node.args[0].value
    yield Problem(
        fact.node,
        f"{code_of(target)} is a tuple (output, state), not a tensor",
        edits=_edit(target),
        fix="Take the output, item 0",
        safe=True,
    )


@RULE.on(ModuleCalled)
def check_module(fact: ModuleCalled) -> Iterator[Problem]:
    if isinstance(fact.input, Tup) and fact.input.kind == "layer" and fact.call.args:
        if fact.module.kind in ("Sequential", "Identity"):
            return
        node = fact.call.args[0].value
        yield Problem(
            fact.node,
            f"nn.{fact.module.kind} takes a tensor, {code_of(node)} is a tuple (output, state)",
            edits=_edit(node),
            fix="Take the output, item 0",
            safe=True,
        )
