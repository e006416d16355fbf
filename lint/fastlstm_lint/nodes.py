"""Going through a syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from keyword import iskeyword
from typing import Any

from . import cst

TIGHT = (
    cst.Name, cst.Integer, cst.Constant, cst.FormattedString, cst.Attribute, cst.Call, cst.Subscript, cst.Tuple,
    cst.List, cst.Set, cst.Dict, cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp,
)  # fmt: skip
"""Expressions that nothing behind them can tear apart."""

PLAIN = frozenset(
    {"ast.AST", "Text", "Operator", "BaseCompOp", "str", "int", "object", "str | None", "tuple[str, ...]", "None"}
)
"""The types of fields that hold no nodes."""

OPENED = re.compile(r"(\w*|[\])}'\"])[ \t]*\(\s*\Z")
COMMA = re.compile(r"[\s)]*,")
CLOSED = re.compile(r"\s*\)")


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly below a node, in the order of their fields."""
    found: list[cst.CSTNode] = []
    for name in _child_fields(node.__class__):  # type: ignore[arg-type]
        value = getattr(node, name)
        if value.__class__ is tuple:
            found += value
        elif value is not None:
            found.append(value)
    return found


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and everything below it, each before what is below it."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(children(each))


@cache
def _child_fields(kind: Any) -> tuple[str, ...]:
    """The fields of a node that hold nodes."""
    return tuple(name for name, told in kind.__init__.__annotations__.items() if told not in PLAIN)


LIBRARIES = frozenset({"torch", "nn", "F", "np", "numpy"})
"""What programs call the libraries whose functions they use."""


def read_names(node: cst.CSTNode) -> frozenset[str]:
    """The names of values in an expression, not those of functions and libraries; of `self.x` that."""
    found: set[str] = set()
    todo = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, cst.Attribute):
            if isinstance(each.value, cst.Name) and each.value.value == "self":
                found.add(f"self.{each.attr.value}")
            else:
                todo.append(each.value)
        elif isinstance(each, cst.Call):
            todo += each.args
            if isinstance(each.func, cst.Attribute):
                todo.append(each.func)
        elif isinstance(each, cst.Name):
            if each.value not in LIBRARIES:
                found.add(each.value)
        else:
            todo.extend(children(each))
    return frozenset(found)


def code_of(node: cst.CSTNode) -> str:
    """The text of a node, with the parentheses around it where it needs them and has them."""
    text = _dotted(node) or node.text.of(node.at)
    if isinstance(node, cst.BaseSuite):
        return "\n".join(code_of(each) for each in node.body)
    if isinstance(node, cst.BaseExpression) and not isinstance(node, TIGHT) and _in_parentheses(node):
        return f"({text})"
    return text


def without_argument(call: cst.Call, at: int) -> str:
    """The text of a call without one of its arguments, given by keyword."""
    text = call.text
    (begin, end), here = text.span(call.at), text.span(call.args[at].at)
    if at + 1 < len(call.args):
        cut = here[0], text.span(call.args[at + 1].at)[0]
    elif at > 0:
        cut = text.span(call.args[at - 1].at)[1], here[1]
    else:
        cut = here
    first, last = (text.index(place) for place in cut)
    before, after = text.code[text.index(begin) : first], text.code[last : text.index(end)]
    if at + 1 == len(call.args) and at > 0:  # up to its comma, the text belongs to the one before
        comma = COMMA.match(text.code, first, last)
        before += "" if comma is None else comma[0].rstrip(",")
    elif at + 1 == len(call.args):
        after = after.lstrip().removeprefix(",")
    return before + after


def _dotted(node: cst.CSTNode) -> str:
    """`a.b.c`; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = _dotted(node.value)
        return base and f"{base}.{node.attr.value}"
    return ""


def _in_parentheses(node: cst.BaseExpression) -> bool:
    """Whether an expression stands in parentheses that are not those of a call."""
    text = node.text
    start, end = (text.index(place) for place in text.span(node.at))
    opened = OPENED.search(text.code, max(0, start - 200), start)
    if opened is None or CLOSED.match(text.code, end) is None:
        return False
    return opened[1] == "" or iskeyword(opened[1])
