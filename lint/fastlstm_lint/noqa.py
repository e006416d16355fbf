"""Suppression comments: `# noqa`, `# noqa: FL205, FL310`, and `# fastlstm: off` for a whole file."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from .finding import Edit, Finding, Fix, Place
from .records import changing, field
from .source import split_lines

NOQA = r"(?i)#\s*noqa\b(?::\s*(?P<codes>[A-Z]+[0-9]*(?:[,\s]+[A-Z]+[0-9]*)*))?"
TEXT_OR_COMMENT = (
    r"""(?s)\"{3}(?:[^"\\]|\\.|"(?!""))*\"{3}|'{3}(?:[^'\\]|\\.|'(?!''))*'{3}"""
    r"""|"(?:[^"\\\r\n]|\\(?:\r\n|.))*"|'(?:[^'\\\r\n]|\\(?:\r\n|.))*'|(?P<comment>#[^\r\n]*)"""
)
"""A text literal or a comment, whichever comes first. (Cutting a file into tokens takes as long as walking it.)"""

FILE_OFF = r"(?mi)^\s*#\s*fastlstm:\s*(?:off|noqa)\s*$"
"""As the others compiled by the first file that asks for it: few do."""


@changing
class Suppression:
    """One comment. `codes` is empty for a bare `# noqa`; `gap` is the blank before it, `rest` what follows."""

    row: int
    column: int
    end: int
    codes: tuple[str, ...]
    gap: int = 0
    rest: str = ""
    used: set[str] = field(default_factory=set)

    def covers(self, code: str) -> bool:
        return not self.codes or any(code.startswith(each) for each in self.codes)


def read(source: str) -> dict[int, Suppression]:
    """The suppression comments by line. Text in a string literal is no comment."""
    found: dict[int, Suppression] = {}
    if "noqa" not in source.lower():
        return found
    lines = split_lines(source)
    pattern = re.compile(NOQA)
    for row, column in _comments(source, lines):
        line = lines[row - 1].rstrip("\r\n")
        match = pattern.search(line, column)
        if match is not None:
            codes = tuple(code.upper() for code in re.split(r"[,\s]+", match["codes"] or "") if code)
            before = line[: match.start()]
            found[row] = Suppression(
                row,
                match.start() + 1,
                match.end() + 1,
                codes,
                len(before) - len(before.rstrip()),
                line[match.end() :],
            )
    return found


def _comments(source: str, lines: list[str]) -> Iterator[tuple[int, int]]:
    """Where the comments that say so begin: row from 1, column from 0."""
    starts = [0, *accumulate(len(line) for line in lines)]
    for match in re.finditer(TEXT_OR_COMMENT, source):
        if match["comment"] is not None and "noqa" in match["comment"].lower():
            row = bisect_right(starts, match.start())
            yield row, match.start() - starts[row - 1]


def whole_file_off(source: str) -> bool:
    """Whether the file asks to be left alone."""
    return "fastlstm:" in source and re.search(FILE_OFF, source) is not None


def apply(findings: Iterable[Finding], comments: dict[int, Suppression]) -> list[Finding]:
    """The findings that no comment on their first or last line covers; comments remember what they were used for."""
    kept = []
    for finding in findings:
        for row in {finding.start.row, finding.end.row}:
            comment = comments.get(row)
            if comment is not None and comment.covers(finding.code):
                comment.used.update(each for each in comment.codes if finding.code.startswith(each))
                break
        else:
            kept.append(finding)
    return kept


def unused(comments: dict[int, Suppression], enabled: frozenset[str], path: str) -> list[Finding]:
    """FL900 for each code of ours that a comment names in vain. Codes that are switched off are not judged."""
    found = []
    for comment in comments.values():
        ours = [code for code in comment.codes if re.fullmatch(r"FL\d{3}", code)]
        vain = [code for code in ours if code not in comment.used and code in enabled]
        if vain:
            found.append(
                Finding(
                    "FL900",
                    "unused-suppression",
                    f"unused suppression: no {', '.join(vain)} on this line",
                    path,
                    Place(comment.row, comment.column),
                    Place(comment.row, comment.end),
                    _without(comment, vain),
                )
            )
    return found


def _without(comment: Suppression, vain: list[str]) -> Fix | None:
    """The comment without the codes it names in vain; gone where none is left and nothing else is said in it."""
    left = [code for code in comment.codes if code not in vain]
    end = Place(comment.row, comment.end)
    if left:
        edit = Edit(Place(comment.row, comment.column), end, f"# noqa: {', '.join(left)}")
    elif comment.rest.strip():
        return None
    else:
        edit = Edit(Place(comment.row, comment.column - comment.gap), end, "")
    return Fix("Remove the unused suppression", True, (edit,))


def add(source: str, findings: Iterable[Finding]) -> tuple[str, int]:
    """The text with a `# noqa` at every finding's line, and how many findings that silences.

    A line that cannot bear a comment (inside a long string, before a backslash) is left: the syntax tree must stay the
    same.
    """
    by_row: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.code not in ("FL900", "FL901", "FL902"):
            by_row.setdefault(finding.start.row, []).append(finding)
    lines = split_lines(source)
    comments = read(source)
    try:
        tree = ast.dump(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return source, 0
    done = 0
    for row, here in by_row.items():
        for candidate in dict.fromkeys((row, *(finding.end.row for finding in here))):
            before = lines[candidate - 1]
            lines[candidate - 1] = _commented(before, comments.get(candidate), [finding.code for finding in here])
            text = "".join(lines)
            if _same_tree(text, tree) and candidate in read(text):
                done += len(here)
                break
            lines[candidate - 1] = before
    return "".join(lines), done


def _commented(line: str, present: Suppression | None, codes: list[str]) -> str:
    bare = line.rstrip("\r\n")
    end = line[len(bare) :]
    if present is None:
        return f"{bare.rstrip()}  # noqa: {', '.join(sorted(set(codes)))}{end}"
    every = ", ".join(dict.fromkeys([*present.codes, *sorted(codes)]))
    return f"{bare[: present.column - 1]}# noqa: {every}{bare[present.end - 1 :]}{end}"


def _same_tree(text: str, tree: str) -> bool:
    try:
        return ast.dump(ast.parse(text)) == tree
    except (SyntaxError, ValueError):
        return False
