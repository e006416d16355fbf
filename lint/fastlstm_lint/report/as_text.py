"""Text for people: place, code, message, and the line it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..finding import Finding


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    blocks = []
    for finding in findings:
        blocks.append(headline(finding))
        lines = sources.get(finding.path, "").splitlines()
        if finding.cell is None and 0 < finding.start.row <= len(lines):
            blocks.append(excerpt(finding, lines[finding.start.row - 1]))
    fixable = sum(finding.fix is not None for finding in findings)
    if findings:
        noun = "finding" if len(findings) == 1 else "findings"
        hint = f", {fixable} with a fix (--fix; --unsafe-fixes for those that change results)" if fixable else ""
        blocks.append(f"{len(findings)} {noun}{hint}")
    return "\n".join(blocks)


def headline(finding: Finding) -> str:
    """`model.py:12:5: FL205 message`."""
    cell = f":cell {finding.cell}" if finding.cell is not None else ""
    return f"{finding.path}{cell}:{finding.start.row}:{finding.start.column}: {finding.code} {finding.message}"


def excerpt(finding: Finding, line: str) -> str:
    """The source line, and carets under the part that is meant."""
    shown = line.replace("\t", " ")
    stop = finding.end.column if finding.end.row == finding.start.row else len(shown) + 1
    carets = "^" * max(1, stop - finding.start.column)
    row = str(finding.start.row)
    return f"{row:>5} | {shown}\n      | {' ' * (finding.start.column - 1)}{carets}"
