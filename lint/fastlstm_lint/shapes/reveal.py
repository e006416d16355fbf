"""`reveal_shape(x)` in a linted program: a note with what is known of `x` there."""

from __future__ import annotations

from typing import Any

from .. import cst
from ..finding import REVEAL, Finding
from ..nodes import children, code_of
from ..positions import Positions
from .record import Recorder

NAME = "reveal_shape"


def asks(source: str) -> bool:
    """Whether a program may hold such a call."""
    return NAME in source


def reveal(recorder: Recorder, path: str) -> list[Finding]:
    """A note for each call of `reveal_shape` in a program that has been walked, by whatever name it is reached."""
    positions = Positions(recorder.module)
    found = []
    for call in _calls(recorder.module):
        told = [f"{_text(argument.value)} is {_told(recorder, argument.value)}" for argument in call.args]
        message = "; ".join(told) if told else "nothing to reveal: reveal_shape takes one argument"
        start, end = positions.span(call)
        found.append(Finding(REVEAL, "reveal-shape", message, path, start, end))
    return found


def _told(recorder: Recorder, node: cst.BaseExpression) -> str:
    if not recorder.values(node):
        return "never reached"
    return recorder.tell(node) or "not known"


def _calls(module: cst.Module) -> list[cst.Call]:
    found: list[cst.Call] = []
    stack: list[Any] = [module]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.Call):
            func = node.func
            word = func.attr if isinstance(func, cst.Attribute) else func
            if isinstance(word, cst.Name) and word.value == NAME:
                found.append(node)
        stack.extend(reversed(children(node)))
    return found


def _text(node: cst.BaseExpression) -> str:
    """The source of an expression on one line, shortened."""
    words = " ".join(code_of(node).split())
    return words if len(words) <= 60 else words[:57] + "..."
