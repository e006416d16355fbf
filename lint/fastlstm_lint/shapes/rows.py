"""On which rows the statements of a program stand.

Python's own parser gives the rows, and the tokenizer the ends of the heads of compound statements.
"""

from __future__ import annotations

import ast
import tokenize
from dataclasses import dataclass

import libcst as cst

from ..source import split_lines
from ..twins import Unplaced, twins


@dataclass(frozen=True, slots=True)
class Statement:
    """A simple statement, or the head of a compound one: its first and last row, counted from 1."""

    node: cst.BaseSmallStatement | cst.BaseCompoundStatement
    twin: ast.stmt
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
    """Every statement of a program in order, and its comments."""
    try:
        ends, comments = _logical_lines(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise Unplaced(str(error)) from error
    found = []
    for node, function, twin in twins(module, source):
        compound = isinstance(node, cst.BaseCompoundStatement)
        last = ends.get(twin.lineno, twin.lineno) if compound else twin.end_lineno or twin.lineno
        found.append(Statement(node, twin, twin.lineno, last, function))
    return found, comments


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
