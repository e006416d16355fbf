"""Text for people: place, code, message, the line it is about, and the line on which the layer was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from click import style

from ..finding import Finding
from ..program import named
from ..source import split_lines
from ..visible import visible


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    blocks = []
    lines: dict[str, list[str]] = {}
    for finding in findings:
        blocks.append(headline(finding))
        key = finding.source_key
        if key not in lines:
            lines[key] = split_lines(sources.get(key, ""))
        if 0 < finding.start.row <= len(lines[key]):
            blocks.append(excerpt(finding, lines[key]))
        if finding.fix is not None:
            blocks.append(f"      = fix: {visible(finding.fix.message)}")
        if not finding.is_note:
            blocks.append(named(f"      = help: fastlstm explain {finding.code}"))
    return "\n".join(blocks)


def summary(findings: Sequence[Finding], looked: str = "", unsafe_shown: bool = False) -> str:
    """How many there are, and how many of them the linter can fix. looked: where it looked, such as " in 3 files"."""
    safe = sum(finding.fix is not None and finding.fix.safe for finding in findings)
    unsafe = sum(finding.fix is not None and not finding.fix.safe for finding in findings)
    count, advice, notes = (
        sum(finding.level in levels for finding in findings)
        for levels in (("error", "warning"), ("advice",), ("note",))
    )
    found = f"{count or 'no'} finding{'s' if count != 1 else ''}{looked}"
    parts = [found] if count or not notes or advice else []
    if advice:
        parts.append(f"{advice} piece{'s' if advice != 1 else ''} of advice on speed")
    if notes:
        parts.append(f"{notes} note{'s' if notes != 1 else ''}")
    if safe:
        parts.append(f"{safe} with a fix (--fix)")
    if unsafe:
        option = "--fix --unsafe-fixes" if unsafe_shown else "--unsafe-fixes"
        parts.append(f"{unsafe} with a fix that changes results ({option})")
    return ", ".join(parts)


def headline(finding: Finding) -> str:
    """`model.py:12:5: FL205 [*] message`; the star where --fix changes it, `[unsafe]` where that changes results."""
    place = visible(f"{finding.source_key}:{finding.start.row}:{finding.start.column}")
    mark = "" if finding.fix is None else "[*] " if finding.fix.safe else "[unsafe] "
    return f"{style(place, bold=True)}: {style(finding.code, fg=color(finding))} {mark}{visible(finding.message)}"


def color(finding: Finding) -> str:
    return "red" if finding.is_wrong else "cyan"


def excerpt(finding: Finding, lines: Sequence[str]) -> str:
    """The source line with carets under the part that is meant, below the line that made the layer."""
    row = finding.start.row
    made = finding.made
    shown = []
    if made is not None and made != row and 0 < made <= len(lines):
        shown.append(_numbered(made, lines[made - 1]))
        if abs(row - made) > 1:
            shown.append("  ... |")
    line = lines[row - 1]
    stop = finding.end.column if finding.end.row == row else len(line.rstrip()) + 1
    before, meant = line[: finding.start.column - 1], line[finding.start.column - 1 : stop - 1]
    carets = "^" * max(1, len(_shown(meant)))
    mark = f"      | {' ' * len(_shown(before))}{style(carets, fg=color(finding))}"
    if made is not None and made > row and shown:
        return "\n".join([_numbered(row, line), mark, *reversed(shown)])
    return "\n".join([*shown, _numbered(row, line), mark])


def _numbered(row: int, line: str) -> str:
    return f"{row:>5} | " + _shown(line.rstrip())


def _shown(text: str) -> str:
    # A tab is one column to the finding, so it is one blank here: the carets stay under their text.
    return visible(text.replace("\t", " "))
