"""Where a node stands in its file, and which nodes stand at a place."""

from __future__ import annotations

import ast
import re
from typing import Any

from . import cst
from .finding import Place
from .nodes import children

Span = tuple[Place, Place]

CLOSED = (cst.BaseExpression, cst.BaseStatement)
"""Nodes whose place covers all that is below them, but for decorators; that of a parameter leaves out its default."""


class Positions:
    """The positions of the nodes of one module: Python's tree has them already."""

    def __init__(self, module: cst.Module) -> None:
        self._module, self._text = module, module.text

    @property
    def tree(self) -> ast.Module:
        """Python's own tree of the module."""
        tree = self._module.at
        assert isinstance(tree, ast.Module)
        return tree

    def span(self, node: cst.CSTNode) -> Span:
        """Start and end of a node; line 1 for one that is not part of the module."""
        return self.find(node) or (Place(1, 1), Place(1, 1))

    def find(self, node: cst.CSTNode) -> Span | None:
        """Start and end of a node; None for one that is not part of the module."""
        if node.text is not self._text:
            return None
        span = self._text.span(node.at)
        return self._of_name(node, span) if isinstance(node, cst.Name) else span

    def _of_name(self, node: cst.Name, whole: Span) -> Span:
        """Where a name stands; of one that is a part of a node of Python's, `whole` is that node's place."""
        at: Any = node.at
        start, end = whole
        if isinstance(at, ast.Attribute):
            return Place(end.row, end.column - len(node.value)), end
        if isinstance(at, (ast.arg, ast.keyword)):
            return start, Place(start.row, start.column + len(node.value))
        if isinstance(at, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            head = re.compile(r"(?:async\s+)?(?:def|class)\s+").match(self._text.lines[start.row - 1], start.column - 1)
            column = start.column if head is None else head.end() + 1
            return Place(start.row, column), Place(start.row, column + len(node.value))
        return whole

    def nodes_at(self, at: Place) -> list[cst.CSTNode]:
        """The expressions and parameters that cover a place, the innermost first."""
        found: list[tuple[int, int, int, cst.CSTNode]] = []
        stack: list[cst.CSTNode] = [self._module]
        while stack:
            node = stack.pop()
            start, end = self.span(node)
            if not start <= at <= end:
                if isinstance(node, CLOSED) and not getattr(node, "decorators", ()):
                    continue
            elif isinstance(node, (cst.BaseExpression, cst.Param)):
                found.append((end.row - start.row, end.column - start.column, -len(found), node))
            if not isinstance(node, cst.FormattedString):  # before 3.12 Python does not say where its parts are
                stack += children(node)
        return [node for *_, node in sorted(found, key=lambda each: each[:3])]
