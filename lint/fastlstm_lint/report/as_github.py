"""Workflow commands of GitHub Actions: each finding becomes an annotation on its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..finding import Finding
from ..visible import visible


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    return "\n".join(annotation(finding) for finding in findings)


def annotation(finding: Finding) -> str:
    about = {"title": f"fastlstm {finding.code}", "file": finding.path}
    where = f"{finding.source_key}:{finding.start.row}:{finding.start.column}"
    # The rows of a cell are not those of the notebook's file: the annotation then stands at the file.
    if finding.cell is None:
        about |= {
            "line": str(finding.start.row),
            "endLine": str(finding.end.row),
            "col": str(finding.start.column),
            "endColumn": str(finding.end.column),
        }
    properties = ",".join(f"{key}={_property(value)}" for key, value in about.items())
    level = "error" if finding.is_wrong else "notice"
    return f"::{level} {properties}::{_data(f'{where}: {finding.code} {finding.message}')}"


def _data(text: str) -> str:
    parts = re.split("([\r\n])", text.replace("%", "%25"))
    return "".join({"\r": "%0D", "\n": "%0A"}.get(part) or visible(part) for part in parts)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
