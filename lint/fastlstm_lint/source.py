"""Lines of a program's text, as Python counts them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from .finding import Finding, Place

if TYPE_CHECKING:
    import ast

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
"""`str.splitlines` also splits at form feeds and U+2028, which the parser does not: every later line would be off."""


def split_lines(text: str) -> list[str]:
    """The lines of a text, with their ends."""
    return LINE.findall(text)


@lru_cache(1)  # findings come file by file
def _lines(text: str) -> list[str]:
    return split_lines(text)


def line_of(finding: Finding, sources: Mapping[str, str]) -> str:
    """The text of a finding's line without blanks around it, by which it is known wherever the line moves."""
    lines = _lines(sources.get(finding.source_key, ""))
    return lines[finding.start.row - 1].strip() if 0 < finding.start.row <= len(lines) else ""


class Text:
    """A program's text, in which the nodes of its tree have their places."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.too_deep = False  # whether the tree lacks a statement that nests too deeply
        self._ascii = code.isascii()

    @cached_property
    def lines(self) -> list[str]:
        return split_lines(self.code)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(line) for line in self.lines)]

    def place(self, row: int, column: int) -> Place:
        """A place of Python's tree, whose columns count UTF-8 bytes from 0."""
        if not self._ascii and row <= len(self.lines):
            column = len(self.lines[row - 1].encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))
        return Place(row, column + 1)

    def index(self, at: Place) -> int:
        """A place as an index of the text."""
        return self._starts[min(at.row, len(self._starts)) - 1] + at.column - 1

    def span(self, node: ast.AST) -> tuple[Place, Place]:
        """Start and end of a node of Python's tree; the first line for one that has no place."""
        row, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_row, end_column = getattr(node, "end_lineno", None) or row, getattr(node, "end_col_offset", None)
        return self.place(row, column), self.place(end_row, column if end_column is None else end_column)

    def of(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.code[self.index(start) : self.index(end)]
