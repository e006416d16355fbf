"""One text of an editor, saved or not, and what is known of it. Worked out when it is asked for, and once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import cst, deep, parsing
from ..config import ConfigError, Settings, find_config, load_settings
from ..engine import inspect, relevant
from ..files import discover
from ..finding import Finding, Place
from ..positions import Positions
from ..shapes.lines import Program, Unreadable, read_program
from ..shapes.record import Recorder
from ..source import split_lines
from ..sources import Imports, SourceTree


class Buffer:
    """A version of a text. `path` is None for one that is in no file yet."""

    def __init__(self, source: str, version: int | None, path: Path | None, before: Buffer | None = None) -> None:
        self.source, self.version, self.path = source, version, path
        self.parsed = parsing.Source(source)
        self._before = None if before is None else before.latest

    @property
    def latest(self) -> Buffer | None:
        """The version that a later one goes back to, and no chain of them: one that was looked at, if there is any."""
        looked_at: Buffer | None = self.__dict__.get("good")
        return looked_at or self._before or self

    @cached_property
    def good(self) -> Buffer | None:
        """This version, or the last one before it that could be parsed."""
        try:
            deep.call(lambda: self.parsed.module)
        except parsing.Unparsable:
            return None if self._before is None else self._before.good
        self._before = None
        return self

    def moved(self, row: int) -> int | None:
        """Where a row of the good version stands in this one; None for one that was changed since."""
        if self.good is None or self.good is self:
            return row
        first, last, shift = self._changed
        return row if row <= first else row + shift if row > last else None

    @cached_property
    def _changed(self) -> tuple[int, int, int]:
        """How many rows at the top stayed, the last row that did not, and by how many rows the rest has moved."""
        assert self.good is not None
        old, new = split_lines(self.good.source), split_lines(self.source)
        shortest = min(len(old), len(new))
        first = next((i for i in range(shortest) if old[i] != new[i]), shortest)
        tail = next((i for i in range(shortest - first) if old[-1 - i] != new[-1 - i]), shortest - first)
        return first, len(old) - tail, len(new) - len(old)

    @cached_property
    def _data(self) -> bytes:
        return self.source.encode("utf-8", "replace")

    @cached_property
    def settings(self) -> Settings:
        """Those of the nearest pyproject.toml; raises ConfigError."""
        return Settings() if self.path is None else load_settings(find_config(self.path.parent))

    @cached_property
    def findings(self) -> list[Finding]:
        """What the linter finds; nothing in a file that the settings or .gitignore leave out.

        While a text cannot be parsed, that is what was found before, but for the lines that were changed since.
        """
        if self.good is not None and self.good is not self:
            kept = []
            for finding in self.good.findings:
                start, end = self.moved(finding.start.row), self.moved(finding.end.row)
                if start is not None and end is not None:
                    places = Place(start, finding.start.column), Place(end, finding.end.column)
                    kept.append(replace(finding, start=places[0], end=places[1], fix=None))
            return kept
        try:
            settings = self.settings
        except ConfigError:
            settings = Settings()
        if self.path is not None and not list(discover([str(self.path)], settings, force_exclude=True)):
            return []
        recurrent = relevant(self._data)
        if not recurrent and (self.imports is None or not self.imports.reach_recurrent(self._data)):
            return []
        path = str(self.path or "untitled.py")
        return inspect(self.parsed, path, settings, self.imports, recurrent, self._recorder)

    @cached_property
    def _recorder(self) -> Recorder | None:
        """What walks this version, once, for its findings and its shapes."""
        home = None if self.imports is None else self.imports.home
        return None if self.good is not self else Recorder(self.parsed.module, home)

    @cached_property
    def imports(self) -> Imports | None:
        """What the text imports, as the files are on the disk."""
        if self.path is None:
            return None
        try:
            root = self.settings.root
        except ConfigError:
            root = self.path.parent
        return Imports(SourceTree([root]), self.path)

    @cached_property
    def program(self) -> Program | None:
        """The program with its shapes; None where it has no tensors or cannot be parsed."""
        data = self._data
        if not relevant(data, self.imports) and b"torch" not in data and b"fastlstm" not in data:
            return None
        try:
            _ = self.findings
            return read_program(self.parsed, None if self.imports is None else self.imports.home, self._recorder)
        except Unreadable:
            return None

    def told(self, at: Place) -> tuple[str, cst.CSTNode] | None:
        """What is known of the expression at a place, and that expression."""
        if self.program is None:
            return None
        nodes = self._positions.nodes_at(at)
        node = _meant(nodes)
        if node is None:
            return None
        told = self.program.recorder.tell(node)
        if told is None and len(nodes) > 2 and isinstance(node, cst.Attribute):
            # On the name of a method: what the call gives.
            call = next((each for each in nodes if isinstance(each, cst.Call) and each.func is node), None)
            node, told = (call, self.program.recorder.tell(call)) if call is not None else (node, None)
        return None if told is None else (told, node)

    def made(self, node: cst.CSTNode) -> tuple[str, int] | None:
        """The file and the row in which the layer was made that a node is; an empty name for this file."""
        made = None if self.program is None else self.program.recorder.layer_made(node)
        if made is None:
            return None
        span = self._positions.find(made)
        if span is not None:
            return "", span[0].row
        return None if self.imports is None else self.imports.locate(made)

    def span(self, node: cst.CSTNode) -> tuple[Place, Place]:
        return self._positions.span(node)

    @cached_property
    def _positions(self) -> Positions:
        assert self.program is not None
        return Positions(self.program.module)


def _meant(nodes: list[cst.CSTNode]) -> cst.CSTNode | None:
    """Of the nodes at a place, the innermost first, the one a reader points at: `self.lstm` for its `lstm`."""
    if not nodes:
        return None
    first: Any = nodes[0]
    outer: Any = nodes[1] if len(nodes) > 1 else None
    if isinstance(outer, cst.Attribute) and outer.attr is first:
        return outer
    if isinstance(outer, cst.Param) and outer.name is first:
        return outer
    return first if isinstance(first, cst.BaseExpression) else None
