"""The programs of a folder with their shapes and findings, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import disk
from ..files import decode, discover
from ..finding import Finding
from ..nearest import Nearest
from ..run import LARGEST, available_cores, check_files
from ..shapes.document import Document
from ..shapes.lines import Unreadable
from ..source import split_lines
from ..sources import Imports, SourceTree


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a program: its text, what is known of its shapes, and what was found on it."""

    number: int
    text: str
    note: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A whole program, or a notebook's cell by its number."""

    rows: tuple[Row, ...]
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A file: its name, its parts, and why it has none if it cannot be read."""

    name: str
    parts: tuple[Part, ...] = ()
    trouble: str = ""
    findings: tuple[Finding, ...] = field(default=())


def gather(paths: Sequence[str], settings: Nearest) -> list[Program]:
    """Every file below the paths that has tensors or findings, in the order of the linter."""
    found = list(discover(paths, settings))
    named = {Path(path) for path in paths}
    by_path: dict[str, list[Finding]] = {}
    for finding in check_files(found, settings, jobs=available_cores()).findings:
        by_path.setdefault(finding.path, []).append(finding)
    programs = []
    for path in found:
        findings = by_path.get(str(path), [])
        try:
            data = disk.read(path, LARGEST)
        except OSError as error:
            if path in named:
                programs.append(Program(str(path), trouble=f"cannot be read: {error.strerror}"))
            continue
        if findings or path in named or b"torch" in data or b"fastlstm" in data:
            programs.append(_program(path, data, findings, SourceTree(settings.places)))
    return programs


def _program(path: Path, data: bytes, findings: Sequence[Finding], tree: SourceTree) -> Program:
    name = str(path)
    try:
        text = data.decode("utf-8-sig") if name.endswith(".ipynb") else decode(data)
    except Exception as error:  # a codec may raise anything
        return Program(name, trouble=f"cannot be decoded: {type(error).__name__}", findings=tuple(findings))
    try:
        parts = tuple(_parts(Document(text, name, Imports(tree, path)), findings))
    except Unreadable as error:
        rows = tuple(_rows(split_lines(text), {}, findings)) if not name.endswith(".ipynb") else ()
        return Program(name, (Part(rows),) if rows else (), str(error), tuple(findings))
    return Program(name, parts, findings=tuple(findings))


def _parts(document: Document, findings: Sequence[Finding]) -> Iterator[Part]:
    notes = {row.row: row.note for row in document.program.rows()}
    for piece in document.pieces():
        here = [each for each in findings if each.cell == piece.cell]
        told = {row - piece.above: note for row, note in notes.items()}
        yield Part(tuple(_rows(split_lines(piece.text), told, here)), piece.cell)


def _rows(lines: Sequence[str], notes: dict[int, str], findings: Sequence[Finding]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        found = tuple(each for each in findings if each.start.row == number)
        yield Row(number, line.rstrip("\r\n"), notes.get(number, ""), found)
