"""Suppression comments: `# noqa`, `# noqa: FL205, FL310`, and `# fastlstm: off` for a whole file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from .finding import Finding, Place

NOQA = re.compile(r"#\s*noqa\b(?::\s*(?P<codes>[A-Z]+[0-9]*(?:[,\s]+[A-Z]+[0-9]*)*))?", re.IGNORECASE)
FILE_OFF = re.compile(r"^\s*#\s*fastlstm:\s*(?:off|noqa)\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(slots=True)
class Suppression:
    """One comment. `codes` is empty for a bare `# noqa`."""

    row: int
    column: int
    end: int
    codes: tuple[str, ...]
    used: set[str] = field(default_factory=set)

    def covers(self, code: str) -> bool:
        return not self.codes or any(code.startswith(each) for each in self.codes)


def read(source: str) -> dict[int, Suppression]:
    """The suppression comments by line. A `# noqa` inside a string literal counts: so it does for every linter."""
    found: dict[int, Suppression] = {}
    if "noqa" not in source and "NOQA" not in source:
        return found
    for row, line in enumerate(source.splitlines(), 1):
        match = NOQA.search(line)
        if match is not None:
            codes = tuple(code.upper() for code in re.split(r"[,\s]+", match["codes"] or "") if code)
            found[row] = Suppression(row, match.start() + 1, match.end() + 1, codes)
    return found


def whole_file_off(source: str) -> bool:
    """Whether the file asks to be left alone."""
    return "fastlstm:" in source and FILE_OFF.search(source) is not None


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
                )
            )
    return found
