"""FL602: softmax without saying along which axis."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Applied, Made
from ..nodes import code_of
from ..values import Module, Tensor, Value
from ._code import with_keyword
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL602",
    name="softmax-without-dim",
    summary="softmax without dim",
    torch="warns",
    explanation="""
Without `dim`, `F.softmax` and `nn.Softmax` choose an axis by the number of axes: 0 for one and three, 1 otherwise. On
a (batch, time, classes) tensor that is the *batch*. torch warns; say which axis holds the classes.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "output, _ = self.gru(x)\nreturn F.softmax(output)  # FL602",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "output, _ = self.gru(x)\nreturn F.softmax(output, dim=-1)",
    ),
    invalid=(
        Wrong(
            model("self.gru = nn.GRU(5, 6)\nself.norm = nn.LogSoftmax()  # FL602", "return self.norm(self.gru(x)[0])"),
            "warns",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)\nself.score = nn.Linear(6, 1)",
                "output, _ = self.gru(x)\nreturn F.softmax(self.score(output))  # FL602",
            ),
            "warns",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.norm = nn.Softmax(2)",
                "output = self.gru(x)[0]\nreturn self.norm(output), output.softmax(-1)",
            )
        ),
    ),
    fixable="unsafe",
)


def _problem(node: cst.Call, value: Value | None = None) -> Problem:
    """The finding; over a last axis with one entry a softmax is 1 everywhere, so that another one was meant."""
    single = isinstance(value, Tensor) and value.rank > 0 and value.sizes[-1] == 1
    text = code_of(node.func)
    return Problem(
        node,
        f"{text} without dim takes axis 0 of a tensor with one or three axes, axis 1 otherwise; name the axis",
        edits=() if single else ((node, with_keyword(node, "dim", "-1")),),
        fix="Normalise over the last axis",
    )


@RULE.on(Applied)
def check_function(fact: Applied) -> Iterator[Problem]:
    if fact.name not in ("softmax", "log_softmax", "softmin") or "dim" in fact.arguments:
        return
    func = fact.call.func
    functional = not isinstance(func, cst.Attribute) or code_of(func.value) != "torch"
    if functional and len(fact.call.args) == 1 and not fact.call.args[0].star:
        yield _problem(fact.call, fact.arguments.get("input"))


@RULE.on(Made)
def check_module(fact: Made) -> Iterator[Problem]:
    if isinstance(fact.module, Module) and fact.module.kind in ("Softmax", "LogSoftmax") and not fact.call.args:
        yield _problem(fact.call)
