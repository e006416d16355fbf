"""A file, program or notebook, with its shape comments shown, written or compared."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .. import notebooks
from ..notebooks import NotebookError
from ..source import split_lines
from ..sources import Imports
from .check import mismatches
from .lines import Program, Unreadable, read_program
from .write import with_comments


class Changed(Exception):
    """A comment would have changed the program; nothing is written."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole program, or a cell of a notebook: its text, its number as a cell, and the rows before it."""

    text: str
    cell: int | None = None
    above: int = 0


class Document:
    """A file that has been read, and with `imports` those that it imports. Raises Unreadable.

    `program` is that of the text, where it has been walked before.
    """

    def __init__(self, text: str, path: str, imports: Imports | None = None, program: Program | None = None) -> None:
        self.text, self.book = text, None
        if path.endswith(".ipynb"):
            try:
                self.book = notebooks.read(text)
            except NotebookError as error:
                raise Unreadable(str(error)) from error
        self.source = text if self.book is None else self.book.text
        self.program = program or read_program(self.source, None if imports is None else imports.home)

    def pieces(self) -> Iterator[Piece]:
        if self.book is None:
            yield Piece(self.text)
        else:
            yield from (Piece(cell.text, cell.number, cell.above) for cell in self.book.cells)

    def _commented(self, piece: Piece, aligned: bool, style: Callable[[str], str] = str) -> str:
        lines = split_lines(piece.text)
        return "".join(with_comments(lines, self.program, aligned=aligned, style=style, above=piece.above))

    def shown(self, style: Callable[[str], str] = str) -> str:
        """The text with comments aligned for reading; a notebook cell by cell, each under its number."""
        parts = []
        for piece in self.pieces():
            if piece.cell is not None:
                parts.append(f"# --- cell {piece.cell}\n")
            parts.append(self._commented(piece, aligned=True, style=style))
            if piece.cell is not None and not parts[-1].endswith("\n"):
                parts.append("\n")
        return "".join(parts)

    def written(self) -> str:
        """The file's text with its comments, as a formatter leaves them; raises Changed if they change the program."""
        if self.book is None:
            text = program = self._commented(Piece(self.text), aligned=False)
        else:
            texts = {piece.cell: self._commented(piece, aligned=False) for piece in self.pieces()}
            before = {cell.number: cell.text for cell in self.book.cells}
            changed = {number: text for number, text in texts.items() if number is not None and before[number] != text}
            if not changed:
                return self.text
            text = self.book.with_cells(changed)
            program = notebooks.read(text).text
        if program != self.source and ast.dump(ast.parse(program)) != ast.dump(ast.parse(self.source)):
            raise Changed("the comments would change the program")
        return text

    def contradictions(self) -> list[tuple[str, str]]:
        """Place and message of each comment that contradicts what is inferred: "12", or "cell 3:2"."""
        found = []
        for mismatch in mismatches(self.program):
            if self.book is None:
                place = str(mismatch.row)
            else:
                cell = self.book.locate(mismatch.row)
                place = f"cell {cell.number}:{mismatch.row - cell.above}"
            found.append((place, mismatch.message))
        return found
