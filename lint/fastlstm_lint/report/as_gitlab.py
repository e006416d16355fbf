"""GitLab's code quality report: the schema of Code Climate, of which GitLab reads these keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

from ..finding import Finding
from ..source import line_of
from ..visible import visible


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    seen: Counter[tuple[str, str, str]] = Counter()
    issues = []
    for finding in findings:
        about = finding.source_key, finding.code, line_of(finding, sources)
        issues.append({
            "description": visible(f"{finding.code} {finding.message}"),
            "check_name": finding.name,
            # The same on the next day, as a baseline knows it; of several alike, which one.
            "fingerprint": sha256(repr((*about, seen[about])).encode("utf-8", "surrogatepass")).hexdigest(),
            "severity": "info" if finding.is_note else "major",
            "location": {"path": visible(finding.path), "lines": {"begin": finding.start.row}},
        })  # fmt: skip
        seen[about] += 1
    return json.dumps(issues, indent=2)
