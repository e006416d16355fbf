"""Where a node stands in its file.

libcst's position provider costs about 700 us per line, more than parsing and interpreting together, so it runs only on
the top-level statement that holds a finding.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .dims import words
from .finding import Place

NOT_CODE = words("whitespace comma lpar rpar semicolon leading_lines lines_after header footer equal")
"""Fields of libcst nodes that hold no code, by parts of their names."""


class Positions:
    """The positions of the nodes of one module, worked out on demand."""

    def __init__(self, module: cst.Module) -> None:
        self._module = module
        self._first_lines: list[int] = []
        self._tables: dict[int, Any] = {}
        self._owner: dict[int, int] = {}
        self._searched = 0

    def span(self, node: cst.CSTNode) -> tuple[Place, Place]:
        """Start and end of a node; line 1 for one that is not part of the module."""
        return self.find(node) or (Place(1, 1), Place(1, 1))

    def find(self, node: cst.CSTNode) -> tuple[Place, Place] | None:
        """Start and end of a node; None for one that is not part of the module."""
        at = self._statement_of(node)
        if at is None:
            return None
        self._read(at)
        found = self._tables[at].get(node)
        if found is None:
            return None
        shift = self._first_line(at)
        return (
            Place(found.start.line + shift, found.start.column + 1),
            Place(found.end.line + shift, found.end.column + 1),
        )

    def _read(self, at: int) -> None:
        if at not in self._tables:
            alone = self._module.with_changes(header=(), body=(self._module.body[at],), footer=())
            self._tables[at] = MetadataWrapper(alone, unsafe_skip_copy=True).resolve(PositionProvider)

    def nodes_at(self, at: Place) -> list[cst.CSTNode]:
        """The nodes that cover a place, the innermost first."""
        index = next((i for i in range(len(self._module.body)) if self._holds(i, at.row)), None)
        if index is None:
            return []
        self._read(index)
        shift = self._first_line(index)
        row, column = at.row - shift, at.column - 1
        found: list[tuple[int, int, int, cst.CSTNode]] = []
        for node, span in self._tables[index].items():
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
            stack: list[object] = [self._module.body[at]]
            while stack:
                each = stack.pop()
                if isinstance(each, cst.CSTNode):
                    self._owner[id(each)] = at
                    stack.extend(getattr(each, name) for name in _child_fields(type(each)))
                elif isinstance(each, (list, tuple)):
                    stack.extend(each)
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


@cache
def _child_fields(kind: type) -> tuple[str, ...]:
    """The fields of a node that may hold expressions or statements. (`CSTNode.children` takes five times as long.)"""
    return tuple(each.name for each in fields(kind) if not any(word in each.name for word in NOT_CODE))
