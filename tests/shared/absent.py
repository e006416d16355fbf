"""Test files that want a library which is not installed: they are left out, and their number is told."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent.parent
ABSENT = frozenset(
    name
    for name in ("torch", "sklearn", "matplotlib", "onnx", "onnxruntime", "jax", "pygls", "lsprotocol", "flake8")
    if find_spec(name) is None
)
"""The optional libraries that are not here."""

INSIDE = {"fastlstm.torch": "torch", "fastlstm.interop.torch": "torch", "fastlstm.interop.onnx": "onnx"}
"""What some modules of our own want."""


def imported(path: Path) -> Iterator[str]:
    """The full names that a file imports when it is imported itself."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def wanted(path: Path) -> frozenset[str]:
    """The absent libraries that a test file wants, itself or through helpers beside it."""
    found: set[str] = set()
    for name in imported(path):
        top = name.partition(".")[0]
        found |= {top} & ABSENT
        found |= {library for ours, library in INSIDE.items() if f"{name}.".startswith(f"{ours}.")} & ABSENT
        for folder in (path.parent, TESTS / "shared"):
            for helper in (folder / f"{top}.py", folder / top / "__init__.py"):
                if helper.is_file() and helper != path:
                    parts = helper.parent.glob("*.py") if helper.name == "__init__.py" else [helper]
                    found.update(*map(wanted, parts))
    return frozenset(found)


def left_out(path: Path) -> bool:
    """Whether a test file, or the conftest of a folder, cannot be imported here."""
    file = path / "conftest.py" if path.is_dir() else path
    return bool(ABSENT) and file.suffix == ".py" and file.is_file() and bool(wanted(file))


class _StandIn:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        pytest.skip(f"{self._name} is not installed")


def optional(name: str) -> Any:
    """A library, or what skips the test that wants anything of it."""
    return _StandIn(name) if name in ABSENT else import_module(name)
