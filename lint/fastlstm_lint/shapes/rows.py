"""On which rows the statements of a program stand.

libcst's position provider takes twice as long as parsing and interpreting together. Python's own parser gives rows for
nothing, and both trees hold the same statements in the same order: they are walked side by side.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from ..source import split_lines


class Unplaced(Exception):
    """Python itself cannot parse what libcst could; the message says why."""


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
        tree = ast.parse(source)
        ends, comments = _logical_lines(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise Unplaced(str(error)) from error
    ours = list(_of_libcst(module.body, None))
    theirs = list(_of_ast(tree.body))
    if len(ours) != len(theirs):
        raise Unplaced("Python and libcst read its statements differently")
    found = []
    for (node, function), twin in zip(ours, theirs, strict=True):
        compound = isinstance(node, cst.BaseCompoundStatement)
        last = ends.get(twin.lineno, twin.lineno) if compound else twin.end_lineno or twin.lineno
        found.append(Statement(node, twin, twin.lineno, last, function))
    return found, comments


def _of_libcst(
    body: Sequence[cst.CSTNode], function: cst.FunctionDef | None
) -> Iterator[tuple[cst.BaseSmallStatement | cst.BaseCompoundStatement, cst.FunctionDef | None]]:
    for node in body:
        if isinstance(node, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
            yield from ((small, function) for small in node.body)
        elif isinstance(node, cst.BaseCompoundStatement):
            yield node, function
            inner = node if isinstance(node, cst.FunctionDef) else function
            for suite in _suites(node):
                if isinstance(suite, cst.If):
                    yield from _of_libcst([suite], inner)
                else:
                    yield from _of_libcst([suite] if isinstance(suite, cst.SimpleStatementSuite) else suite.body, inner)


def _suites(node: cst.BaseCompoundStatement) -> Iterator[cst.If | cst.BaseSuite]:
    if isinstance(node, cst.Match):
        yield from (case.body for case in node.cases)
        return
    yield node.body
    if isinstance(node, (cst.Try, cst.TryStar)):
        yield from (handler.body for handler in node.handlers)
    orelse = getattr(node, "orelse", None)
    if orelse is not None:
        yield orelse if isinstance(orelse, cst.If) else orelse.body
    finalbody = getattr(node, "finalbody", None)
    if finalbody is not None:
        yield finalbody.body


def _of_ast(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.Match):
            for case in node.cases:
                yield from _of_ast(case.body)
            continue
        yield from _of_ast(getattr(node, "body", ()))
        for handler in getattr(node, "handlers", ()):
            yield from _of_ast(handler.body)
        yield from _of_ast(getattr(node, "orelse", ()))
        yield from _of_ast(getattr(node, "finalbody", ()))


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
