"""Findings kept by the content of the file they were found in.

The key holds everything that decides the findings: the file's bytes, its kind, the settings of the codes, the folders
it imports from, and the linter's own files. A damaged or unwritable cache is an empty one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from .config import Settings
from .disk import Folder
from .finding import Finding
from .sources import Imports

FOLDER = ".fastlstm_cache"
KEPT_FOR = 30 * 24 * 3600
"""Seconds after which an entry that nobody asked for is removed."""

LARGEST = 16_000_000
"""Bytes of the largest entry."""

SHELF = re.compile(r"[0-9a-f]{2}")
ENTRY = re.compile(r"[0-9a-f]{64}")
"""The names of the cache's own folders and files. Nothing of another name is ever removed."""

Sources = dict[str, str]


class Cache:
    """The cache in one folder; None keeps nothing.

    `below` is the folder that is trusted to be what its name says; from there on no link is followed, since a
    repository may hold one under any name. Without it, `folder` itself is trusted.
    """

    def __init__(self, folder: Path | None, below: Path | None = None) -> None:
        self.folder = None if folder is None else folder / "lint"
        self._trusted = below or folder or Path()
        self._open: Folder | None = None
        self._made: dict[tuple[str, str], tuple[list[Finding], Sources, dict[str, str]]] = {}

    def key(self, data: bytes, kind: str, chosen: Iterable[str], bases: Iterable[str] = ()) -> str:
        """`chosen`: the settings that decide which codes are on; `bases`: where the file finds what it imports."""
        words = ["" if self.folder is None else stamp(), kind, *chosen, "", *bases]
        return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape") + b"\0" + data).hexdigest()

    def get(self, key: str, path: str, imports: Imports) -> tuple[list[Finding], Sources] | None:
        """Findings and source texts of an earlier run, as if found in `path`, if what it imports is still the same.

        What was found in this run counts as well, whether or not there is a folder.
        """
        if (made := self._made.get((key, path))) is not None and imports.still_hold(made[2]):
            return made[0], made[1]
        try:
            if (home := self._home(make=False)) is None:
                return None
            with home.enter(key[:2]) as shelf:
                stored = json.loads(shelf.read(key, LARGEST))
                if not imports.still_hold(stored["needs"]):
                    return None
                findings = [Finding.from_json({**each, "path": path}) for each in stored["findings"]]
                sources = {path + suffix: text for suffix, text in stored["sources"].items()}
                shelf.touch(key, older_than=KEPT_FOR / 30)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return findings, sources

    def put(
        self, key: str, path: str, findings: list[Finding], sources: Sources, needs: dict[str, str] | None = None
    ) -> None:
        """Keep what was found; `needs` is the state of the other files it depends on."""
        self._made[key, path] = findings, sources, needs or {}
        if self.folder is None:
            return
        content = {
            "findings": [finding.to_json() for finding in findings],
            "needs": needs or {},
            "sources": {name.removeprefix(path): text for name, text in sources.items()},
        }
        try:
            if (home := self._home(make=True)) is None:
                return
            with home.enter(key[:2], make=True) as shelf:
                # Written under an entry's name too, so that one left behind by a crash is removed in time.
                shelf.replace(key, json.dumps(content).encode(), part=key[:2] + os.urandom(31).hex())
        except (OSError, UnicodeError):
            self.folder = None

    def prune(self) -> None:
        """Remove what nobody asked for in a month."""
        try:
            if (home := self._home(make=False)) is None:
                return
            shelves = [name for name, about in home.entries() if SHELF.fullmatch(name) and stat.S_ISDIR(about.st_mode)]
        except OSError:
            return
        for name in shelves:
            try:
                with home.enter(name) as shelf:
                    for entry, about in list(shelf.entries()):
                        old = time.time() - about.st_mtime > KEPT_FOR
                        own = ENTRY.fullmatch(entry) and entry.startswith(name) and stat.S_ISREG(about.st_mode)
                        if old and own:
                            shelf.remove(entry)
            except OSError:
                continue

    def _home(self, make: bool) -> Folder | None:
        """The cache's folder, opened once; None if there is none. OSError if it is not a plain folder."""
        if self.folder is None:
            return None
        if self._open is None:
            if make:
                self._trusted.mkdir(parents=True, exist_ok=True)
            self._open = Folder.below(self._trusted, self.folder.relative_to(self._trusted).parts, make)
            weakref.finalize(self, self._open.close)
            if make:
                with suppress(FileExistsError):
                    self._open.create(".gitignore", b"*\n")
        return self._open


def home(settings: Settings, configured: bool) -> Cache:
    """The cache of a run: below the file of settings, in the repository's root, or among the user's own caches.

    A folder that is no project gets none: whoever looks at one file from `/` wants no folder there.
    """
    root: Path | None = settings.root
    if not configured:
        here = settings.root.absolute()
        root = next((place for place in (here, *here.parents) if (place / ".git").exists()), None)
    if root is not None:  # what the repository says holds below it
        return Cache(settings.cache_dir or root / FOLDER, below=root)
    return Cache(_of_user())


def _of_user() -> Path | None:
    if sys.platform == "win32":
        place = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        place = "~/Library/Caches"
    else:
        place = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return None if not place else Path(place).expanduser() / "fastlstm"
    except RuntimeError:  # a user without a home
        return None


@cache
def stamp() -> str:
    """The linter itself: the sizes and times of its files, so that an edited rule counts."""
    words = [sys.version]
    folders = [os.path.dirname(__file__)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.endswith(".py"):
                    about = entry.stat()
                    words.append(f"{entry.name}:{about.st_size}:{about.st_mtime_ns}")
                elif entry.is_dir():
                    folders.append(entry.path)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
