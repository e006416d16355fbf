"""GitLab's code quality report: the schema of Code Climate, of which GitLab reads these keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

from ..finding import Finding
from ..source import split_lines
from ..visible import visible


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    lines: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    issues = []
    for finding in findings:
        text = lines.setdefault(finding.source_key, split_lines(sources.get(finding.source_key, "")))
        row = finding.start.row
        about = finding.source_key, finding.code, text[row - 1].strip() if 0 < row <= len(text) else ""
        issues.append({
            "description": visible(f"{finding.code} {finding.message}"),
            "check_name": finding.name,
            # The same on the next day, wherever the line has moved: not its number, but how many there were like it.
            "fingerprint": sha256(repr((*about, seen[about])).encode("utf-8", "surrogatepass")).hexdigest(),
            "severity": "info" if finding.is_note else "major",
            "location": {"path": visible(finding.path), "lines": {"begin": finding.start.row}},
        })  # fmt: skip
        seen[about] += 1
    return json.dumps(issues, indent=2)
