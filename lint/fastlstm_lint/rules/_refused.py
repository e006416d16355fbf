"""What the rules FL7xx say: torch's or Python's own sentence, the values it is about, and where they were made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..facts import Refused
from ..values import Tensor, Tup, Value
from .base import Check, Problem

UNFIXABLE = "Which of the values is meant to have other sizes is not written in the program."

PYTHONS = re.compile(
    r"values to unpack|object has no attribute|unsupported operand type|^(tuple|list) index out of range"
)
"""What is Python's sentence and not torch's."""


def refusals(law: str) -> Check:
    """The check of a rule that reports the refusals of one kind of law."""

    def check(fact: Refused) -> Iterator[Problem]:
        if fact.law != law:
            return
        values = "; ".join(f"{name} is {_described(value)}" for name, value in fact.operands[:4])
        sentence = fact.sentence.rstrip(".")
        who = "Python" if PYTHONS.search(sentence) else "torch"
        yield Problem(fact.node, f"{who} refuses this: {sentence}" + (values and f"; {values}"), made=fact.made)

    return check


def _described(value: Value) -> str:
    """A tensor by its axes, a tuple by those of its items."""
    if not isinstance(value, Tup):
        return str(value)
    kind = "list" if value.is_list else "tuple"
    if not value.items:
        return f"an empty {kind}"
    if len(value.items) > 4 or not any(isinstance(item, (Tup, Tensor)) for item in value.items):
        return f"a {kind} of {len(value.items)}"
    shown = ", ".join(_described(item) if isinstance(item, (Tup, Tensor)) else "..." for item in value.items)
    return f"the {kind} of {shown}"
