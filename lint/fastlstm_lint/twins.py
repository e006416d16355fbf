"""The statements of a program in libcst's tree and in Python's own, pairwise.

libcst's position provider takes as long as parsing and interpreting together. Python's parser gives places for nothing,
and both trees hold the same statements in the same order: they are walked side by side.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence

import libcst as cst

Twin = tuple[cst.BaseSmallStatement | cst.BaseCompoundStatement, cst.FunctionDef | None, ast.stmt]
"""A statement, the function it is in, and the same statement of Python's tree."""


class Unplaced(Exception):
    """Python itself cannot parse what libcst could; the message says why."""


def twins(module: cst.Module, source: str) -> list[Twin]:
    """Every statement of a program in order; raises Unplaced."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the program's own, such as invalid escapes
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unplaced(str(error)) from error
    ours = list(_of_libcst(module.body, None))
    theirs = list(_of_ast(tree.body))
    if len(ours) != len(theirs):
        raise Unplaced("Python and libcst read its statements differently")
    return [(node, function, twin) for (node, function), twin in zip(ours, theirs, strict=True)]


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
