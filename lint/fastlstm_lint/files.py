"""Which files to read, and how to read and write them."""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from . import disk
from .config import Settings
from .dims import words

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from .nearest import Nearest

SUFFIXES = (".py", ".pyi", ".ipynb")

LARGEST_RULES, MOST_RULES, LONGEST_RULE, STARS = 1_000_000, 5_000, 1_000, 3
"""Bytes of a .gitignore, its patterns, characters of a pattern, and stars of one name in it. Beyond, it is not
believed: patterns become regular expressions, each of which is made and asked, in a time that grows with a power as
high as there are stars."""

SKIPPED = frozenset(
    words(
        ".git .hg .svn .venv venv .tox .nox .eggs __pycache__ node_modules .mypy_cache .ruff_cache .pytest_cache "
        ".fastlstm_cache site-packages .ipynb_checkpoints build dist"
    )
)
"""Folders that are not entered, unless named on the command line."""


def discover(paths: Sequence[str], settings: Settings | Nearest, force_exclude: bool = False) -> Iterator[Path]:
    """The files below `paths`, sorted, each once.

    A file named on the command line is taken whatever its name; with `force_exclude` the exclude patterns hold for it
    as well, as a hook that names every changed file needs.
    """
    seen: set[Path] = set()
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found = _walk(path, settings)
        else:
            found = iter(() if force_exclude and settings.excludes(path) else (path,))
        for each in found:
            key = each.absolute()
            if key not in seen:
                seen.add(key)
                yield each


def _walk(folder: Path, settings: Settings | Nearest) -> Iterator[Path]:
    ignored = GitIgnored(folder) if settings.of(folder).respect_gitignore else None
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if ignored is not None:
            ignored.enter(here, ".gitignore" in names)
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED
            and not settings.excludes(here / name)
            and not (ignored is not None and ignored.covers(here / name, is_folder=True))
        )
        for name in sorted(names):
            path = here / name
            if (
                name.endswith(SUFFIXES)
                and not settings.excludes(path)
                and not (ignored is not None and ignored.covers(path))
            ):
                yield path


def _is_quick(pattern: str) -> bool:
    """Whether a pattern of .gitignore is matched without trying every way to divide a name among its stars."""
    stars = pattern.replace("**", "")
    return (
        len(pattern) <= LONGEST_RULE
        and pattern.count("**") <= STARS
        and all(part.count("*") <= STARS for part in stars.split("/"))
    )


class GitIgnored:
    """What the .gitignore files from the repository's root down to a file say; the nearest one that speaks wins."""

    def __init__(self, folder: Path) -> None:
        self._specs: dict[Path, GitIgnoreSpec] = {}
        start = folder.absolute()
        above = [start, *start.parents]
        root = next((place for place in above if (place / ".git").exists()), None)
        if root is not None:
            self._read(root, root / ".git" / "info" / "exclude")
            for place in above[1 : above.index(root) + 1]:
                self.enter(place, (place / ".gitignore").is_file())

    def enter(self, folder: Path, has_rules: bool) -> None:
        """Read the .gitignore of a folder, if it has one."""
        if has_rules:
            self._read(folder.absolute(), folder / ".gitignore")

    def _read(self, owner: Path, file: Path) -> None:
        try:
            lines = disk.read(file, LARGEST_RULES).decode("utf-8", "replace").splitlines()
        except OSError:
            return
        from pathspec import GitIgnoreSpec

        before = self._specs.get(owner)
        patterns = [] if before is None else list(before.patterns)
        for line in islice(filter(_is_quick, lines), MOST_RULES):
            with suppress(ValueError, RecursionError, re.error):  # what means nothing to git, `!` alone, is passed over
                patterns += GitIgnoreSpec.from_lines([line]).patterns
        self._specs[owner] = GitIgnoreSpec(patterns)

    def covers(self, path: Path, is_folder: bool = False) -> bool:
        """Whether git would leave a file or folder out; its parent folders were asked before."""
        if not self._specs:
            return False
        whole = path.absolute()
        for place in whole.parents:
            spec = self._specs.get(place)
            if spec is not None:
                name = whole.relative_to(place).as_posix() + ("/" if is_folder else "")
                verdict = spec.check_file(name).include
                if verdict is not None:
                    return verdict
        return False


def decode(data: bytes) -> str:
    """The text of a Python file, by its coding line or byte-order mark; raises SyntaxError or UnicodeDecodeError."""
    return data.decode(encoding(data))


def write(path: Path, text: str) -> None:
    """Replace a file's text; its encoding, byte-order mark and line ends stay as they are."""
    path.write_bytes(text.encode(encoding(disk.read(path))))


def encoding(data: bytes) -> str:
    """The encoding of a program's text, as its first lines say."""
    return tokenize.detect_encoding(BytesIO(data).readline)[0]
