"""Places in a text as the protocol counts them: rows and columns from 0, columns in the units that were agreed on."""

from __future__ import annotations

from lsprotocol import types

from ..finding import Place
from ..source import split_lines


class Lines:
    """The lines of a buffer. Ours are counted from 1 in characters, the protocol's from 0 in UTF-16 units by default.

    (pygls has a codec of its own, which cuts lines at form feeds as well: every later row would be off.)
    """

    def __init__(self, source: str, encoding: str) -> None:
        self.lines = split_lines(source)
        self.encoding = encoding

    def position(self, at: Place) -> types.Position:
        """The protocol's position of a place of ours."""
        return types.Position(at.row - 1, self._units(self._line(at.row)[: at.column - 1]))

    def range(self, start: Place, end: Place) -> types.Range:
        return types.Range(self.position(start), self.position(end))

    def at_byte(self, row: int, column: int) -> types.Position:
        """The protocol's position of a row from 1 and a column in UTF-8 bytes from 0, as Python's parser counts."""
        return types.Position(row - 1, self._units(self._line(row).encode()[:column].decode(errors="ignore")))

    def end(self, row: int) -> types.Position:
        """The end of a row counted from 1."""
        return types.Position(row - 1, self._units(self._line(row).rstrip("\r\n")))

    def place(self, position: types.Position) -> Place:
        """The place of ours at a position of the protocol."""
        line = self._line(position.line + 1)
        column = units = 0
        while column < len(line) and units < position.character:
            units += self._units(line[column])
            column += 1
        return Place(position.line + 1, column + 1)

    def whole(self) -> types.Range:
        """Everything."""
        last = len(self.lines)
        ended = not last or self.lines[-1].endswith(("\n", "\r"))
        return types.Range(types.Position(0, 0), types.Position(last, 0) if ended else self.end(last))

    def _line(self, row: int) -> str:
        return self.lines[row - 1] if 0 < row <= len(self.lines) else ""

    def _units(self, text: str) -> int:
        if self.encoding == types.PositionEncodingKind.Utf32:
            return len(text)
        if self.encoding == types.PositionEncodingKind.Utf8:
            return len(text.encode("utf-8", "surrogatepass"))
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
