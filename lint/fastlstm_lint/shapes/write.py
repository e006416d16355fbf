"""The text of a program with shape comments: aligned for reading, or as formatters leave it for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..visible import visible_lines
from .grammar import split
from .lines import Program, Row

GAP = "  "
"""Blanks before a comment, as PEP 8 wants and formatters leave them."""

WIDEST = 72
"""Code that is wider than this does not push its neighbours' comments to the right."""

TAB = 8


def with_comments(
    lines: list[str], program: Program, *, aligned: bool, style: Callable[[str], str] = str, above: int = 0
) -> list[str]:
    """The lines, ends included, with their comments. `above` rows of the program come before the first line.

    Aligned lines are for reading: what a terminal would take for a command is shown as an escape in them.
    """
    lines = list(lines)
    shown: Callable[[str], str] = visible_lines if aligned else str
    told: dict[int, tuple[str, str]] = {}
    for row in program.rows():
        at = row.row - above - 1
        if not 0 <= at < len(lines):
            continue
        base, old = _without_ours(lines[at].rstrip("\r\n"), row)
        new = "; ".join(_entries(row, old))
        if new:
            told[at] = (base, f"# {new}")
        elif old:
            lines[at] = base + _end(lines[at])
    columns = _columns(lines, told) if aligned else {}
    for at, (base, comment) in told.items():
        blanks = " " * (columns[at] - _width(base)) if at in columns else ""
        lines[at] = f"{shown(base)}{blanks}{GAP}{style(shown(comment))}{_end(lines[at])}"
    if not aligned:
        return lines
    return [
        (line.rstrip("\r\n") if at in told else shown(line.rstrip("\r\n"))) + ("\n" if _end(line) else "")
        for at, line in enumerate(lines)
    ]


def _without_ours(line: str, row: Row) -> tuple[str, dict[str, str]]:
    """The line without the entries in the written form at its end, and those by name."""
    if row.comment is None:
        return line.rstrip(), {}
    person, entries = split(row.comment.text)
    if not entries:
        return line.rstrip(), {}
    return (line[: row.comment.column] + person).rstrip(), {entry.name or "": entry.text for entry in entries}


def _entries(row: Row, old: dict[str, str]) -> Iterable[str]:
    """What is to be said of a row. Of a name of which nothing is known, what stands there stays."""
    for name, bound in row.bound.items():
        if bound.words is not None and (bound.shown or name in old):
            yield f"{name}: {bound.words}"
        elif name in old:
            yield old[name]


def _columns(lines: list[str], told: dict[int, tuple[str, str]]) -> dict[int, int]:
    """For each line with a comment the width that its neighbours' code takes, up to the next blank line."""
    columns: dict[int, int] = {}
    block: list[int] = []
    for at in range(len(lines) + 1):
        if at < len(lines) and lines[at].strip():
            if at in told:
                block.append(at)
            continue
        narrow = [at for at in block if _width(told[at][0]) <= WIDEST]
        if narrow:
            columns |= dict.fromkeys(narrow, max(_width(told[at][0]) for at in narrow))
        block = []
    return columns


def _width(text: str) -> int:
    return len(text.expandtabs(TAB))


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
