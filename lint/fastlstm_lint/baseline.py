"""A baseline: the findings that a project has today, so that only new ones are shown.

A finding is known by its file, its code and the text of its line, not by the line's number: code above may grow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import disk
from .config import ConfigError
from .finding import Finding
from .source import line_of

VERSION = 1
Key = tuple[str, str, str]


def load(file: Path) -> Counter[Key]:
    """How often each known finding stands in a baseline."""
    try:
        data = json.loads(disk.read(file))
        return Counter({(e["file"], e["code"], e["line"]): int(e["count"]) for e in data["findings"]})
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(f"{file} is not a baseline; write one with --write-baseline") from error


def save(file: Path, findings: Sequence[Finding], sources: Mapping[str, str], below: Path | None = None) -> None:
    """Write the baseline of these findings; from the folder `below` on no link is followed."""
    counts = Counter(key_of(finding, sources, file.parent) for finding in findings)
    entries = [
        {"file": path, "code": code, "line": line, "count": count}
        for (path, code, line), count in sorted(counts.items())
    ]
    text = json.dumps({"version": VERSION, "findings": entries}, indent=1) + "\n"
    try:
        disk.replace(file, text.encode(), below)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error


def new(findings: Sequence[Finding], sources: Mapping[str, str], file: Path) -> list[Finding]:
    """The findings that a baseline does not hold. Of several alike, as many are known as it counts."""
    known = load(file)
    fresh = []
    for finding in findings:
        key = key_of(finding, sources, file.parent)
        if known[key] > 0:
            known[key] -= 1
        else:
            fresh.append(finding)
    return fresh


def key_of(finding: Finding, sources: Mapping[str, str], folder: Path) -> Key:
    """What a finding is known by; paths are below the baseline's folder where they can be."""
    path = Path(finding.path).absolute()
    root = folder.absolute()
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    return name, finding.code, line_of(finding, sources)
