"""Going through a libcst tree, faster than `CSTNode.children`: whitespace and punctuation are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache

import libcst as cst

from .dims import words

NOT_CODE = words(
    "whitespace comma lpar rpar bracket brace dot colon semicolon lines_after leading_lines header footer equal"
)
"""Fields of libcst nodes that hold no code, by parts of their names."""


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly below a node that hold code, in the order of their fields."""
    found: list[cst.CSTNode] = []
    for name in _child_fields(node.__class__):
        value = getattr(node, name)
        kind = value.__class__
        if kind is tuple or kind is list:
            found += value
        elif is_a(kind, cst.CSTNode):
            found.append(value)
    return found


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and everything below it that holds code, each before what is below it."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(children(each))


@cache
def is_a(kind: type, base: type | tuple[type, ...]) -> bool:
    """`issubclass`, remembered: libcst's classes are abstract ones, which Python itself is asked about at length."""
    return issubclass(kind, base)


@cache
def _child_fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields of a node that may hold code. (`CSTNode.children` takes five times as long.)"""
    return tuple(each.name for each in fields(kind) if not any(word in each.name for word in NOT_CODE))
