"""One line for each finding, for `grep` and for editors that read errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..finding import Finding
from .as_text import headline


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    return "\n".join(headline(finding) for finding in findings)
