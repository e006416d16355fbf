"""What the rules FL7xx say: torch's own sentence, the values it is about, and where they were made."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Refused
from ..values import Tensor, Tup, Value
from .base import Check, Problem

UNFIXABLE = "Which of the values is meant to have other sizes is not written in the program."


def refusals(law: str) -> Check:
    """The check of a rule that reports the refusals of one kind of law."""

    def check(fact: Refused) -> Iterator[Problem]:
        if fact.law != law:
            return
        values = "; ".join(f"{name} is {_described(value)}" for name, value in fact.operands[:4])
        sentence = fact.sentence.rstrip(".")
        yield Problem(fact.node, f"torch refuses this: {sentence}" + (values and f"; {values}"), made=fact.made)

    return check


def _described(value: Value) -> str:
    """A tensor by its axes, a tuple by those of its items."""
    if not isinstance(value, Tup):
        return str(value)
    shown = ", ".join(_described(item) if isinstance(item, (Tup, Tensor)) else "..." for item in value.items[:4])
    kind = "the list" if value.is_list else "the tuple"
    return f"{kind} of {shown}" if shown else f"an empty {kind.removeprefix('the ')}"
