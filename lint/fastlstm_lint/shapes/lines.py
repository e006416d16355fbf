"""What is known beside each line of a program: the names that a statement binds, and what it returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import cst, deep, parsing
from ..interpreter.program import SourceFile
from ..nodes import children
from .grammar import NOT_NAMES
from .record import Recorder
from .rows import Comment, Statement, Unplaced, statements
from .words import Words, says_something

RETURN = "return"
RECEIVERS = frozenset({"self", "cls"})


class Unreadable(Exception):
    """The text cannot be parsed or analysed; the message says why."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A name bound on a line (`return` for what is returned): what is known of it, and where it stands.

    `end` is the place behind the name, row from 1 and column from 0 in UTF-8 bytes, as Python's parser counts; None for
    what is returned.
    """

    name: str
    words: Words | None
    node: cst.CSTNode
    end: tuple[int, int] | None = None
    shown: bool = True


@dataclass(slots=True)
class Line:
    """A statement, or the head of a compound one, and all it binds."""

    first: int
    last: int
    function: cst.FunctionDef | None  # in which it binds: of a `def`, the function itself
    bound: list[Bound] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """The place of one comment: a row, what its statements bind (a name that is bound twice as it is last), and the
    comment that stands there."""

    row: int
    bound: dict[str, Bound] = field(default_factory=dict)
    comment: Comment | None = None

    @property
    def note(self) -> str:
        """What is to be shown beside the row; "" where nothing is known: `out: (B batch, 6 feature); h: (...)`."""
        return "; ".join(f"{name}: {bound.words}" for name, bound in self.bound.items() if bound.shown)


@dataclass(slots=True)
class Program:
    """A program that has been walked."""

    module: cst.Module
    recorder: Recorder
    lines: list[Line]
    comments: list[Comment]
    heads: dict[int, tuple[str, str]]  # class and name of the method whose `def` stands at a row

    def rows(self) -> list[Row]:
        """The rows at whose end a shape comment may stand."""
        found: dict[int, Row] = {}
        for line in self.lines:
            row = found.setdefault(line.last, Row(line.last))
            row.bound |= {bound.name: bound for bound in line.bound}
        for comment in self.comments:
            if comment.trailing and comment.row in found:
                found[comment.row].comment = comment
        return sorted(found.values(), key=lambda row: row.row)


def read_program(
    source: str | parsing.Source, home: SourceFile | None = None, recorder: Recorder | None = None
) -> Program:
    """Walk a program, unless a `recorder` has done so; raises Unreadable. Nothing of it is executed."""
    try:
        return deep.call(lambda: _read(parsing.Source(source) if isinstance(source, str) else source, home, recorder))
    except parsing.Unparsable as error:
        raise Unreadable(f"line {error.row}: {error.message}") from error
    except (Unplaced, UnicodeError) as error:
        raise Unreadable(f"cannot be parsed: {error}") from error
    except RecursionError as error:
        raise Unreadable("nested too deeply to be analysed") from error
    except Exception as error:
        raise Unreadable(f"internal error, please report: {type(error).__name__}: {error}") from error


def _read(source: parsing.Source, home: SourceFile | None, recorder: Recorder | None) -> Program:
    module = source.module
    if recorder is None or not recorder.walked:
        recorder = Recorder(module, home)
        recorder.walk()
    placed, comments = statements(module, module.text.code)
    lines = []
    for statement in placed:
        inner = statement.node if isinstance(statement.node, cst.FunctionDef) else statement.function
        lines.append(Line(statement.first, statement.last, inner, list(_bound(statement, recorder))))
    return Program(module, recorder, lines, comments, _heads(placed))


def _heads(placed: list[Statement]) -> dict[int, tuple[str, str]]:
    found = {}
    for statement in placed:
        if isinstance(statement.twin, ast.ClassDef):
            for method in statement.twin.body:
                if isinstance(method, ast.FunctionDef):
                    found[method.lineno] = (statement.twin.name, method.name)
    return found


def _bound(statement: Statement, recorder: Recorder) -> Iterator[Bound]:
    for name, node, twin in _targets(statement.node, statement.twin):
        if name.lower() in NOT_NAMES:  # `# type: (B batch)` would be a type comment
            continue
        end = None if twin is None else _end(name, twin)
        words = recorder.words(node)
        plain = name == RETURN and isinstance(node, (cst.Name, cst.Attribute))
        yield Bound(name, words, node, end, words is not None and says_something(words) and not plain)


def _end(name: str, twin: ast.AST) -> tuple[int, int] | None:
    if isinstance(twin, ast.arg):
        return twin.lineno, twin.col_offset + len(name.encode())
    if isinstance(twin, ast.expr) and twin.end_lineno is not None and twin.end_col_offset is not None:
        return twin.end_lineno, twin.end_col_offset
    return None


Target = tuple[str, cst.CSTNode, ast.AST | None]


def _targets(node: Any, twin: Any) -> Iterator[Target]:
    """The names a statement binds, in order, each with the node that the interpreter bound and Python's node."""
    if isinstance(node, cst.Assign):
        for target, other in zip(node.targets, twin.targets, strict=True):
            yield from _names(target.target, other)
        yield from _walrus(node.value, twin.value)
    elif isinstance(node, (cst.AnnAssign, cst.AugAssign, cst.For)):
        yield from _names(node.target, twin.target)
    elif isinstance(node, cst.With):
        for item, other in zip(node.items, twin.items, strict=True):
            if item.asname is not None:
                yield from _names(item.asname, other.optional_vars)
    elif isinstance(node, cst.FunctionDef):
        params, others = node.params, twin.args
        ours = (*params.posonly_params, *params.params, *params.kwonly_params)
        theirs = (*others.posonlyargs, *others.args, *others.kwonlyargs)
        for param, arg in zip(ours, theirs, strict=True):
            if param.name.value not in RECEIVERS:
                yield param.name.value, param, arg
    elif isinstance(node, cst.Return):
        if node.value is not None:
            yield RETURN, node.value, None
            yield from _walrus(node.value, twin.value)
    elif isinstance(node, (cst.If, cst.While)):
        yield from _walrus(node.test, twin.test)
    elif isinstance(node, cst.Expr):
        yield from _walrus(node.value, twin.value)


def _names(node: Any, twin: Any) -> Iterator[Target]:
    if isinstance(node, (cst.Tuple, cst.List)):
        for element, other in zip(node.elements, twin.elts, strict=True):
            if not isinstance(element, cst.StarredElement):
                yield from _names(element.value, other)
    elif isinstance(node, cst.Name):
        if node.value != "_":
            yield node.value, node, twin
    elif isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
        yield f"{node.value.value}.{node.attr.value}", node, twin


def _walrus(node: cst.BaseExpression, twin: ast.expr) -> Iterator[Target]:
    """Names bound inside an expression: they stand in the same order in both trees."""
    others = [each for each in ast.walk(twin) if isinstance(each, ast.NamedExpr)]
    if not others:
        return
    ours: list[cst.NamedExpr] = []
    stack: list[cst.CSTNode] = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, cst.NamedExpr):
            ours.append(each)
        stack.extend(children(each))
    by_name = {each.target.id: each.target for each in others}
    for found in ours:
        if isinstance(found.target, cst.Name):
            yield found.target.value, found.target, by_name.get(found.target.value)
