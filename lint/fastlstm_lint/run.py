"""Checking files: reading, skipping what holds no recurrent code, and keeping the text of what has findings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .config import Settings
from .engine import check_source, own, relevant
from .files import decode
from .finding import Finding


def check_file(path: Path, settings: Settings) -> tuple[list[Finding], str]:
    """The findings in one file and its text. A file that cannot be read is a finding of its own."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return [own("FL901", str(path), f"cannot be read: {error.strerror}")], ""
    if not relevant(data):
        return [], ""
    try:
        text = decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        return [own("FL901", str(path), f"cannot be decoded: {error}")], ""
    return check_source(text, str(path), settings), text


def check_files(paths: Iterable[Path], settings: Settings) -> tuple[list[Finding], dict[str, str]]:
    """The findings in many files, and the text of those that have some."""
    findings: list[Finding] = []
    sources: dict[str, str] = {}
    for path in paths:
        found, text = check_file(path, settings)
        if found:
            findings += found
            sources[str(path)] = text
    return findings, sources
