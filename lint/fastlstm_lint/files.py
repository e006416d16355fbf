"""Which files to read, and how to read them."""

from __future__ import annotations

import os
import tokenize
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from .config import Settings, matches
from .dims import words

SUFFIXES = (".py", ".pyi", ".ipynb")

SKIPPED = frozenset(
    words(
        ".git .hg .svn .venv venv .tox .nox .eggs __pycache__ node_modules .mypy_cache .ruff_cache .pytest_cache "
        "site-packages .ipynb_checkpoints build dist"
    )
)
"""Folders that are not entered, unless named on the command line."""


def discover(paths: Sequence[str], settings: Settings) -> Iterator[Path]:
    """The files below `paths`, sorted, each once. A file named on the command line is taken whatever its name."""
    seen: set[Path] = set()
    for name in paths:
        path = Path(name)
        found = [path] if not path.is_dir() else _walk(path, settings)
        for each in found:
            key = each.absolute()
            if key not in seen:
                seen.add(key)
                yield each


def _walk(folder: Path, settings: Settings) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not _excluded(here / name, settings))
        for name in sorted(names):
            path = here / name
            if name.endswith(SUFFIXES) and not _excluded(path, settings):
                yield path


def _excluded(path: Path, settings: Settings) -> bool:
    return any(matches(str(path), pattern, settings.root) for pattern in settings.exclude)


def decode(data: bytes) -> str:
    """The text of a Python file, by its coding line or byte-order mark; raises SyntaxError or UnicodeDecodeError."""
    encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    return data.decode(encoding)
