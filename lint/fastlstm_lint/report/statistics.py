"""How often each rule was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..finding import Finding


def render(findings: Sequence[Finding]) -> str:
    """One line per code, the most frequent first."""
    counts = Counter((finding.code, finding.name) for finding in findings)
    fixable = Counter(finding.code for finding in findings if finding.fix is not None and finding.fix.safe)
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return "\n".join(f"{count:>6}  {code}  {fixable[code]:>6} fixable  {name}" for (code, name), count in rows)
