"""Applying fixes: the edits of findings, put into the text."""

from __future__ import annotations

from collections.abc import Sequence

from .finding import Edit, Finding
from .source import Text


def apply_fixes(source: str, findings: Sequence[Finding], unsafe: bool) -> tuple[str, list[Finding]]:
    """The text with the fixes applied, and the findings they removed.

    Safe fixes always, the others with `unsafe`. Of two fixes that touch the same text the first wins; a second pass
    over the new text offers the other again.
    """
    text = Text(source)
    chosen: list[tuple[int, int, Edit]] = []
    done: list[Finding] = []
    for finding in findings:
        if finding.fix is None or not (finding.fix.safe or unsafe):
            continue
        spans = [(text.index(edit.start), text.index(edit.end), edit) for edit in finding.fix.edits]
        if any(start < stop_ and start_ < stop for start, stop, _ in spans for start_, stop_, _ in chosen):
            continue
        chosen += [span for span in spans if span not in chosen]  # several may need one import
        done.append(finding)
    for start, stop, edit in sorted(chosen, key=lambda item: item[:2], reverse=True):
        source = source[:start] + edit.content + source[stop:]
    return source, done
