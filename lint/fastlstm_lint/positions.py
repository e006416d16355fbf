"""Where a node stands in its file.

libcst's position provider costs about 700 us per line, more than parsing and interpreting together, so it runs only on
the top-level statement that holds a finding.
"""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .finding import Place


class Positions:
    """The positions of the nodes of one module, worked out on demand."""

    def __init__(self, module: cst.Module) -> None:
        self._module = module
        self._first_lines: list[int] = []
        self._tables: dict[int, Any] = {}
        self._owner: dict[int, int] = {}

    def span(self, node: cst.CSTNode) -> tuple[Place, Place]:
        """Start and end of a node; line 1 for one that is not part of the module."""
        return self.find(node) or (Place(1, 1), Place(1, 1))

    def find(self, node: cst.CSTNode) -> tuple[Place, Place] | None:
        """Start and end of a node; None for one that is not part of the module."""
        at = self._statement_of(node)
        if at is None:
            return None
        if at not in self._tables:
            alone = self._module.with_changes(header=(), body=(self._module.body[at],), footer=())
            self._tables[at] = MetadataWrapper(alone, unsafe_skip_copy=True).resolve(PositionProvider)
        found = self._tables[at].get(node)
        if found is None:
            return None
        shift = self._first_line(at)
        return (
            Place(found.start.line + shift, found.start.column + 1),
            Place(found.end.line + shift, found.end.column + 1),
        )

    def _statement_of(self, node: cst.CSTNode) -> int | None:
        if not self._owner:
            for at, statement in enumerate(self._module.body):
                stack: list[cst.CSTNode] = [statement]
                while stack:
                    each = stack.pop()
                    self._owner[id(each)] = at
                    stack.extend(each.children)
        return self._owner.get(id(node))

    def _first_line(self, at: int) -> int:
        """How many lines stand before top-level statement `at`, its own leading comments not counted."""
        if not self._first_lines:
            lines = sum(self._module.code_for_node(line).count("\n") for line in self._module.header)
            for statement in self._module.body:
                self._first_lines.append(lines)
                lines += self._module.code_for_node(statement).count("\n")
        return self._first_lines[at]
