"""Where a node stands in its file.

libcst's position provider costs as much per line as parsing and interpreting together. So Python's own parser gives
the place of each statement, and only the statement that holds the node, or its head, is written out to find the node in
it. Where that is not possible the provider runs on the top-level statement around the node.
"""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from libcst.metadata.position_provider import PositionProvidingCodegenState

from .finding import Place
from .nodes import children, is_a
from .source import split_lines
from .twins import Unplaced, twins

Span = tuple[Place, Place]
EMPTY = cst.IndentedBlock(())


class Table:
    """Positions by node, as libcst writes them: it stands in for a metadata provider."""

    def __init__(self) -> None:
        self._computed: dict[cst.CSTNode, CodeRange] = {}

    def get(self, node: cst.CSTNode) -> CodeRange | None:
        return self._computed.get(node)


class Positions:
    """The positions of the nodes of one module, worked out on demand. `source` is its text, if it is at hand."""

    def __init__(self, module: cst.Module, source: str | None = None) -> None:
        self._module, self._source = module, source
        self._lines: list[str] = []
        self._twins: dict[int, Any] | None = {} if source is None else None
        self._near: dict[int, Table | None] = {}
        self._first_lines: list[int] = []
        self._far: dict[int, Any] = {}
        self._owner: dict[int, int] = {}  # the top-level statement that holds a node
        self._statement: dict[int, cst.CSTNode] = {}  # the innermost statement that holds a node
        self._searched = 0

    def span(self, node: cst.CSTNode) -> Span:
        """Start and end of a node; line 1 for one that is not part of the module."""
        return self.find(node) or (Place(1, 1), Place(1, 1))

    def find(self, node: cst.CSTNode) -> Span | None:
        """Start and end of a node; None for one that is not part of the module."""
        at = self._statement_of(node)
        if at is None:
            return None
        found, shift = self._look(self._statement.get(id(node)), node), 0
        if found is None:
            self._read(at)
            found, shift = self._far[at].get(node), self._first_line(at)
        return None if found is None else _span(found, shift)

    def indent_of(self, node: cst.CSTNode) -> str:
        """The white space in front of the statement that holds a node: libcst writes an expression without it."""
        statement = None if self.find(node) is None else self._statement.get(id(node))
        span = None if statement is None else self.find(statement)
        if span is None:
            return ""
        lines = self._lines or split_lines(self._source or self._module.code)
        line = lines[span[0].row - 1]
        return line[: len(line) - len(line.lstrip())]

    def _look(self, statement: cst.CSTNode | None, node: cst.CSTNode) -> CodeRange | None:
        """The position of a node in its statement."""
        if statement is None or (statement is node and isinstance(node, cst.BaseCompoundStatement)):
            return None
        if id(statement) not in self._near:
            self._near[id(statement)] = self._write(statement)
        table = self._near[id(statement)]
        return None if table is None else table.get(node)

    def _write(self, statement: cst.CSTNode) -> Table | None:
        twin = self._twin(statement)
        bare = None if twin is None else _head(statement)
        if bare is None:
            return None
        line = self._lines[twin.lineno - 1]
        indent = line[: len(line) - len(line.lstrip())]
        table: Any = Table()
        state: Any = PositionProvidingCodegenState(
            self._module.default_indent, self._module.default_newline, table, [indent]
        )
        state.line, state.column = twin.lineno, len(indent)
        if isinstance(statement, cst.BaseCompoundStatement):
            decorators = getattr(statement, "decorators", ())
            if decorators:
                state.line = twin.decorator_list[0].lineno - len(decorators[0].leading_lines)
            state.column = 0  # it writes its indentation itself
        if isinstance(bare, cst.If):
            bare._codegen(state, is_elif=line.startswith("elif", len(indent)))
        else:
            bare._codegen(state)
        return table

    def _twin(self, statement: cst.CSTNode) -> Any:
        """The statement in Python's own tree; None if Python cannot parse the text."""
        if self._twins is None:
            source = self._source or ""
            try:
                self._twins = {id(ours): theirs for ours, _, theirs in twins(self._module, source)}
            except Unplaced:
                self._twins = {}
            self._lines = split_lines(source)
        return self._twins.get(id(statement))

    def _read(self, at: int) -> None:
        if at not in self._far:
            alone = self._module.with_changes(header=(), body=(self._module.body[at],), footer=())
            self._far[at] = MetadataWrapper(alone, unsafe_skip_copy=True).resolve(PositionProvider)

    def nodes_at(self, at: Place) -> list[cst.CSTNode]:
        """The nodes that cover a place, the innermost first."""
        index = next((i for i in range(len(self._module.body)) if self._holds(i, at.row)), None)
        if index is None:
            return []
        self._read(index)
        shift = self._first_line(index)
        row, column = at.row - shift, at.column - 1
        found: list[tuple[int, int, int, cst.CSTNode]] = []
        for node, span in self._far[index].items():
            start, end = (span.start.line, span.start.column), (span.end.line, span.end.column)
            if isinstance(node, (cst.BaseExpression, cst.Param)) and start <= (row, column) <= end:
                found.append((end[0] - start[0], end[1] - start[1], len(found), node))
        # A child is positioned before its parent, so of two with the same span the earlier one is the inner.
        return [node for *_, node in sorted(found, key=lambda each: each[:3])]

    def _holds(self, index: int, row: int) -> bool:
        """Whether a top-level statement stands on a row."""
        last = index + 1 == len(self._module.body)
        return self._first_line(index) < row and (last or row <= self._first_line(index + 1))

    def _statement_of(self, node: cst.CSTNode) -> int | None:
        """The top-level statement that holds a node; the search goes on from where the last one stopped."""
        while id(node) not in self._owner and self._searched < len(self._module.body):
            at = self._searched
            self._searched += 1
            stack: list[tuple[cst.CSTNode, cst.CSTNode | None]] = [(self._module.body[at], None)]
            while stack:
                each, statement = stack.pop()
                self._owner[id(each)] = at
                kind = each.__class__
                if kind is cst.SimpleStatementLine:
                    # Further statements on a line begin where the first one's indentation cannot be seen.
                    small = each.body  # type: ignore[attr-defined]
                    stack += [(child, None if i else child) for i, child in enumerate(small)]
                    continue
                if is_a(kind, cst.BaseCompoundStatement):
                    statement = each
                if statement is not None:
                    self._statement[id(each)] = statement
                stack += [(child, statement) for child in children(each)]
        return self._owner.get(id(node))

    def _first_line(self, at: int) -> int:
        """How many lines stand before top-level statement `at`, its own leading comments not counted."""
        code = self._module.code_for_node
        if not self._first_lines:
            self._first_lines.append(sum(code(line).count("\n") for line in self._module.header))
        while len(self._first_lines) <= at:
            statement = self._module.body[len(self._first_lines) - 1]
            self._first_lines.append(self._first_lines[-1] + code(statement).count("\n"))
        return self._first_lines[at]


def _head(statement: Any) -> Any:
    """A statement without its blocks and leading comments; None for one whose head is not all in one place."""
    if isinstance(statement, cst.BaseSmallStatement):
        return statement
    if isinstance(statement, (cst.FunctionDef, cst.ClassDef, cst.With)):
        return statement.with_changes(leading_lines=(), body=EMPTY)
    if isinstance(statement, (cst.For, cst.While, cst.If)):
        return statement.with_changes(leading_lines=(), body=EMPTY, orelse=None)
    return None


def _span(found: CodeRange, shift: int) -> Span:
    return (
        Place(found.start.line + shift, found.start.column + 1),
        Place(found.end.line + shift, found.end.column + 1),
    )
