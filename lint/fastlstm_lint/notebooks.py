"""Notebooks as programs: the code cells in order, with IPython's magics put aside line by line.

Every line of every cell keeps its number, so that a place in the joined text is a cell and a line in it.
"""

from __future__ import annotations

import ast
import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .finding import Edit, Finding, Place
from .source import split_lines

MAGIC = re.compile(r"^(\s*)([%!?]|.*\?{1,2}\s*$)")
AUTOMAGIC = re.compile(
    r"^(\s*)(?:cat|cd|clear|conda|cp|ldir|ll|ls|man|matplotlib|mkdir|more|mv|pip|pwd|rm|rmdir|run|time|who|whos)\s+[^\s=(,:\[]"
)
"""Commands that IPython takes without their `%`, as long as the line is not Python."""
ASSIGNED = re.compile(r"^(\s*[\w.,\s\[\]]+?=\s*)[%!](?!=)")
DISCARDED = "FL211"
PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun", "python", "python3"})
"""Cell magics whose body is Python that runs in this notebook; the body of any other is left out."""


class NotebookError(Exception):
    """The file is not a notebook."""


@dataclass(slots=True)
class Cell:
    """One code cell: its number among all cells, counted from 1, its text, and the row before its first line."""

    number: int
    text: str
    above: int


@dataclass(slots=True)
class Notebook:
    """A notebook read from its file. `text` is the program; rows in it map to cells by `locate`."""

    data: dict[str, Any]
    indent: int
    cells: list[Cell]
    text: str
    broken: list[tuple[int, str, int]] = field(default_factory=list)  # cell number, message, row in the cell

    def locate(self, row: int) -> Cell:
        """The cell that a row of the joined text stands in."""
        return self.cells[max(0, bisect_right([cell.above for cell in self.cells], row - 1) - 1)]

    def in_cells(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings in the joined text, with cells and the rows in them. A fix that spans cells is dropped."""
        return [self._in_cell(finding) for finding in findings if not self._is_shown(finding)]

    def _is_shown(self, finding: Finding) -> bool:
        """Whether it is a value thrown away in a cell's last line: a notebook prints that one."""
        cell = self.locate(finding.end.row)
        lines = split_lines(cell.text)
        last = max((i for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")), default=0)
        return finding.code == DISCARDED and finding.start.column == 1 and finding.end.row - cell.above == last

    def _in_cell(self, finding: Finding) -> Finding:
        cell = self.locate(finding.start.row)

        def moved(at: Place) -> Place:
            return Place(at.row - cell.above, at.column)

        fix = finding.fix
        if fix is not None:
            last = cell.above + len(split_lines(cell.text))
            inside = all(cell.above < e.start.row and e.end.row <= last for e in fix.edits)
            edits = tuple(Edit(moved(e.start), moved(e.end), e.content) for e in fix.edits)
            fix = fix._replace(edits=edits) if inside else None
        made, message = finding.made, finding.message
        if made is not None:
            home = self.locate(made)
            where = f"line {made - home.above}" + (f" of cell {home.number}" if home is not cell else "")
            message = message.replace(f"made at line {made}", f"made at {where}")
            made = made - cell.above if home is cell else None
        return replace(
            finding, message=message, start=moved(finding.start), end=moved(finding.end), fix=fix,
            made=made, cell=cell.number,
        )  # fmt: skip

    def with_cells(self, texts: dict[int, str]) -> str:
        """The notebook's file with other texts in the given cells."""
        for number, text in texts.items():
            cell = self.data["cells"][number - 1]
            cell["source"] = text if isinstance(cell["source"], str) else text.splitlines(keepends=True)
        return json.dumps(self.data, indent=self.indent, ensure_ascii=False) + "\n"


def read(raw: str) -> Notebook:
    """A notebook from its file's text; raises NotebookError."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"not a notebook: {error}") from error
    found = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise NotebookError("not a notebook of format 4: it has no list of cells")
    match = re.match(r"\{\r?\n( +)", raw)
    book = Notebook(data, len(match[1]) if match else 1, [], "")
    parts: list[str] = []
    above = 0
    for number, entry in enumerate(found, 1):
        if not isinstance(entry, dict) or entry.get("cell_type") != "code":
            continue
        text = _source(entry.get("source"))
        if text is None:
            raise NotebookError(f"cell {number} has no source")
        book.cells.append(Cell(number, text, above))
        lines = [line.rstrip("\r\n") for line in split_lines(text)] or [""]
        shown, complaint = _parsable(lines)
        if complaint is not None:
            book.broken.append((number, *complaint))
        parts += shown
        above += len(lines)
    book.text = "\n".join(parts) + "\n"
    return book


def _source(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return None


def _parsable(lines: list[str]) -> tuple[list[str], tuple[str, int] | None]:
    """The lines of a cell without what Python cannot parse, and what was wrong with it beyond magics."""
    clean = plain(lines)
    try:
        ast.parse("\n".join(clean))
    except SyntaxError as error:
        return [""] * len(lines), (error.msg, min(error.lineno or 1, len(lines)))
    except (ValueError, RecursionError, MemoryError) as error:
        return [""] * len(lines), (str(error), 1)
    return clean, None


def plain(lines: list[str]) -> list[str]:
    """The lines of a cell with magics, shell commands and help requests made into `pass`; same number of lines.

    A cell that Python parses as it is stays as it is: `%` may begin a continued line.
    """
    head = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[head].startswith("%%"):
        name = re.match(r"%%\s*(\w*)", lines[head])
        if name is None or name[1] not in PYTHON_CELLS:
            return [""] * len(lines)
        return [""] * (head + 1) + plain(lines[head + 1 :])
    try:
        ast.parse("\n".join(lines))
        return lines
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    clean: list[str] = []
    continued = False
    for line in lines:
        magic = MAGIC.match(line) or AUTOMAGIC.match(line)
        if continued:
            clean.append("")
            continued = line.rstrip().endswith("\\")
        elif magic is not None and not line.lstrip().startswith("#"):
            clean.append(magic[1] + "pass")
            continued = line.rstrip().endswith("\\")
        elif (assigned := ASSIGNED.match(line)) is not None:
            clean.append(assigned[1] + "None")
            continued = line.rstrip().endswith("\\")
        else:
            clean.append(line)
    return clean
