"""What a service knows a finding by from one day to the next: as a baseline does, without the line's number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from ..finding import Finding
from ..source import line_of


def fingerprints(findings: Sequence[Finding], sources: Mapping[str, str]) -> Iterator[str]:
    """One for each finding: of its file, code and line's text, and of several alike, which one it is."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for finding in findings:
        about = finding.source_key, finding.code, line_of(finding, sources)
        yield sha256(repr((*about, seen[about])).encode("utf-8", "surrogatepass")).hexdigest()
        seen[about] += 1
