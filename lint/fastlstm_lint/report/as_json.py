"""JSON in ruff's schema, so that what reads ruff's output reads this. `level` is ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..finding import Finding, Place


def place(at: Place) -> dict[str, int]:
    return {"row": at.row, "column": at.column}


def as_dict(finding: Finding) -> dict[str, Any]:
    """One finding as ruff words it."""
    fix = None
    if finding.fix is not None:
        fix = {
            "applicability": "safe" if finding.fix.safe else "unsafe",
            "message": finding.fix.message,
            "edits": [
                {"content": edit.content, "location": place(edit.start), "end_location": place(edit.end)}
                for edit in finding.fix.edits
            ],
        }
    return {
        "cell": finding.cell,
        "code": finding.code,
        "level": finding.level,
        "message": finding.message,
        "filename": finding.path,
        "location": place(finding.start),
        "end_location": place(finding.end),
        "fix": fix,
        "url": finding.url,
    }


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    return json.dumps([as_dict(finding) for finding in findings], indent=2)
