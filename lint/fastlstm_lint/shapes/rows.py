"""On which rows the statements of a program stand.

Python's own parser gives the rows, and the tokenizer the ends of the heads of compound statements.
"""

from __future__ import annotations

import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import cst
from ..nodes import children
from ..source import split_lines


class Unplaced(Exception):
    """The text cannot be cut into tokens; the message says why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A simple statement, or the head of a compound one: its first and last row, counted from 1."""

    node: cst.BaseStatement
    twin: Any
    first: int
    last: int
    function: cst.FunctionDef | None


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: its row from 1, its column from 0, its text with the `#`, and whether code stands before it."""

    row: int
    column: int
    text: str
    trailing: bool


def statements(module: cst.Module, source: str) -> tuple[list[Statement], list[Comment]]:
    """Every statement of a program in order, and its comments; raises Unplaced."""
    try:
        ends, comments = _logical_lines(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise Unplaced(str(error)) from error
    found = []
    for node, function in _in_order(module.body, None):
        twin: Any = node.at
        compound = isinstance(node, cst.BaseCompoundStatement)
        last = ends.get(twin.lineno, twin.lineno) if compound else twin.end_lineno or twin.lineno
        found.append(Statement(node, twin, twin.lineno, last, function))
    return found, comments


Placed = tuple[cst.BaseStatement, cst.FunctionDef | None]
"""A statement, and the function it is in."""


def _in_order(body: Sequence[cst.CSTNode], function: cst.FunctionDef | None) -> Iterator[Placed]:
    for node in body:
        if isinstance(node, cst.BaseStatement):
            yield node, function
        inner = node if isinstance(node, cst.FunctionDef) else function
        if not isinstance(node, cst.BaseSmallStatement):
            blocks = (cst.BaseStatement, cst.BaseSuite, cst.Else, cst.ExceptHandler, cst.MatchCase)
            yield from _in_order([each for each in children(node) if isinstance(each, blocks)], inner)


def _logical_lines(source: str) -> tuple[dict[int, int], list[Comment]]:
    """The last row of the logical line that begins at a row, and all comments."""
    lines = split_lines(source)
    ends: dict[int, int] = {}
    comments = []
    first: int | None = None
    for token in tokenize.generate_tokens(iter(lines).__next__):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            comments.append(Comment(row, column, token.string, bool(lines[row - 1][:column].strip())))
        elif token.type == tokenize.NEWLINE:
            if first is not None:
                ends[first] = token.start[0]
            first = None
        elif first is None and token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            first = token.start[0]
    return ends, comments
