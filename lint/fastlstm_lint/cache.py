"""Findings kept by the content of the file they were found in.

The key holds everything that decides the findings: the file's bytes, its kind, the settings of the codes, the folders
it imports from, and the linter's own files. A damaged or unwritable cache is an empty one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .finding import Finding
from .sources import Imports

FOLDER = ".fastlstm_cache"
KEPT_FOR = 30 * 24 * 3600
"""Seconds after which an entry that nobody asked for is removed."""

Sources = dict[str, str]


class Cache:
    """The cache in one folder; None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = None if folder is None else folder / "lint"

    def key(self, data: bytes, kind: str, chosen: Iterable[str], bases: Iterable[str] = ()) -> str:
        """`chosen`: the settings that decide which codes are on; `bases`: where the file finds what it imports."""
        words = [stamp(), kind, *chosen, "", *bases]
        return hashlib.sha256("\0".join(words).encode() + b"\0" + data).hexdigest()

    def get(self, key: str, path: str, imports: Imports) -> tuple[list[Finding], Sources] | None:
        """Findings and source texts of an earlier run, as if found in `path`, if what it imports is still the same."""
        if self.folder is None:
            return None
        file = self.folder / key[:2] / key
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            if not imports.still_hold(stored["needs"]):
                return None
            findings = [Finding.from_json({**each, "path": path}) for each in stored["findings"]]
            sources = {path + suffix: text for suffix, text in stored["sources"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        if time.time() - file.stat().st_mtime > KEPT_FOR / 30:
            os.utime(file)
        return findings, sources

    def put(
        self, key: str, path: str, findings: list[Finding], sources: Sources, needs: dict[str, str] | None = None
    ) -> None:
        """Keep what was found; `needs` is the state of the other files it depends on."""
        if self.folder is None:
            return
        content = {
            "findings": [finding.to_json() for finding in findings],
            "needs": needs or {},
            "sources": {name.removeprefix(path): text for name, text in sources.items()},
        }
        file = self.folder / key[:2] / key
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            ignore = self.folder.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            # Another process may write the same entry: the rename makes either whole.
            part = file.with_name(f"{key}.{os.getpid()}")
            part.write_text(json.dumps(content), encoding="utf-8")
            part.replace(file)
        except (OSError, UnicodeError):
            self.folder = None

    def prune(self) -> None:
        """Remove what nobody asked for in a month."""
        if self.folder is None:
            return
        for file in self.folder.glob("*/*"):
            try:
                if time.time() - file.stat().st_mtime > KEPT_FOR:
                    file.unlink()
            except OSError:
                continue


@cache
def stamp() -> str:
    """The linter itself: its version, and the sizes and times of its files, so that an edited rule counts."""
    try:
        words = [version("fastlstm")]
    except PackageNotFoundError:
        words = [""]
    words.append(sys.version)
    here = Path(__file__).parent
    for file in sorted(here.rglob("*.py")):
        about = file.stat()
        words.append(f"{file.name}:{about.st_size}:{about.st_mtime_ns}")
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
