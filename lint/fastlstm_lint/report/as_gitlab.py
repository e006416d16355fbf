"""GitLab's code quality report: the schema of Code Climate, of which GitLab reads these keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..finding import Finding
from ..visible import visible
from .fingerprint import fingerprints

SEVERITIES = {"error": "major", "warning": "major", "advice": "minor", "note": "info"}


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    issues = [
        {
            "description": visible(f"{finding.code} {finding.message}"),
            "check_name": finding.name,
            "fingerprint": fingerprint,
            "severity": SEVERITIES[finding.level],
            "location": {"path": visible(finding.path), "lines": {"begin": finding.start.row}},
        }
        for finding, fingerprint in zip(findings, fingerprints(findings, sources), strict=True)
    ]
    return json.dumps(issues, indent=2)
