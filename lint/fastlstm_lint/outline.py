"""The top level of a Python file: which statements bind which name. A statement is made into a tree when it is needed.

Python's own parser takes a tenth of the time, and most of what an imported file holds is never asked for.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from .files import decode
from .parsing import Unparsable, parse
from .records import changing, field
from .source import split_lines

if TYPE_CHECKING:
    from . import cst

WIDTH = 80
"""Characters of a line, where lines are counted for what they cost."""

KEPT = 256
"""Outlines kept per process, by content."""


class Statement:
    """One top-level statement, or several that share a line: the row of its first line and its text."""

    def __init__(self, row: int, text: str) -> None:
        self.row, self.text = row, text

    @property
    def lines(self) -> int:
        """Its lines, a very long one counted as several."""
        return max(self.text.count("\n") + 1, len(self.text) // WIDTH)

    @cached_property
    def module(self) -> cst.Module | None:
        """A module with this statement alone; None if it cannot be parsed alone."""
        try:
            return parse(self.text)
        except Unparsable:
            return None

    @property
    def parsed(self) -> cst.Module | None:
        """The module, if somebody asked for it."""
        found: cst.Module | None = self.__dict__.get("module")
        return found


@changing
class Outline:
    """What a file binds: statements by name, in their order; modules of `import *`; the names in `__all__`."""

    statements: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    stars: tuple[tuple[str, int], ...] = ()
    listed: frozenset[str] | None = None


@lru_cache(KEPT)
def outline(data: bytes) -> Outline:
    """The outline of a file's content; empty if Python cannot parse it."""
    try:
        text = decode(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the program's own, such as invalid escapes
            tree = ast.parse(text)
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
        return Outline()
    lines = split_lines(text)
    found: dict[str, list[Statement]] = {}
    stars: list[tuple[str, int]] = []
    lists: list[frozenset[str] | None] = []
    for group in _groups(tree.body):
        first, last = _first_row(group[0]), max(each.end_lineno or each.lineno for each in group)
        statement = Statement(first, "".join(lines[first - 1 : last]))
        for each in group:
            for name in _bound(each):
                if (mine := found.setdefault(name, [])) == [] or mine[-1] is not statement:
                    mine.append(statement)
            stars += _stars(each)
            lists += [_listed(each)] if "__all__" in _bound(each) else []
    listed = lists[0] if len(lists) == 1 else None  # one that is added to is not read
    return Outline({name: tuple(each) for name, each in found.items()}, tuple(stars), listed)


def _groups(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Statements, those that share a line together."""
    group: list[ast.stmt] = []
    for each in body:
        if group and _first_row(each) > (group[-1].end_lineno or 0):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _first_row(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds in the module."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.split(".")[0] for alias in statement.names if alias.name != "*")
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _targets(target)
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        yield from _targets(statement.target)
    else:
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            yield from _targets(statement.target)
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            for item in statement.items:
                yield from _targets(item.optional_vars)
        for inner in _inside(statement):
            yield from _bound(inner)


def _inside(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements of the blocks of a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(statement, name, [])
    for part in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield from part.body


def _targets(target: ast.expr | None) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for each in target.elts:
            yield from _targets(each)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value)


def _stars(statement: ast.stmt) -> Iterator[tuple[str, int]]:
    if isinstance(statement, ast.ImportFrom) and any(alias.name == "*" for alias in statement.names):
        yield statement.module or "", statement.level
    elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        for inner in _inside(statement):
            yield from _stars(inner)


def _listed(statement: ast.stmt) -> frozenset[str] | None:
    """The names in `__all__ = [...]`, if it is written out."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, (ast.List, ast.Tuple)):
        return None
    words = [each.value for each in statement.value.elts if isinstance(each, ast.Constant)]
    return frozenset(word for word in words if isinstance(word, str))
