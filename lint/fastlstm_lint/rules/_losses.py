"""Where probabilities from a softmax go into a loss, and the call that made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import cst
from ..facts import Applied, Fact, ModuleCalled
from ..values import Opaque, Tensor, Value
from ._code import argument, only_use
from .base import Problem, Rule

Say = Callable[[Fact, "cst.BaseExpression | None"], Problem]
"""From a call of a loss, and the softmax whose result nothing but the loss gets, to what is said of it."""


def on_probabilities(rule: Rule, module: str, function: str, say: Say) -> None:
    """Register a rule's checks of one loss, as a module of torch.nn and as a function."""

    @rule.on(ModuleCalled)
    def check_module(fact: ModuleCalled) -> Iterator[Problem]:
        if fact.module.kind == module and _probabilities(fact.input):
            yield say(fact, only_use(fact, argument(fact.call, 0, "input")))

    @rule.on(Applied)
    def check_function(fact: Applied) -> Iterator[Problem]:
        if fact.name == function and _probabilities(fact.arguments.get("input")):
            yield say(fact, only_use(fact, fact.nodes.get("input")))


def _probabilities(value: Value | None) -> bool:
    return isinstance(value, (Tensor, Opaque)) and "softmax" in value.traits
