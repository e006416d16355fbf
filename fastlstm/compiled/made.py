"""What a piece of compiled code was made of: it serves where all of this is the same, and nowhere else."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastlstm import __version__
from fastlstm.kernels.cpu import system
from fastlstm.kernels.machine import Machine, host, machine_words

FORMAT = 2
SHIPPED = "sources"
"""The file beside shipped code that says what `content` was where it was made."""
_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_SOURCES = ("kernels", "cells", "spec", "engine/threads", "engine/entry.py", "engine/compiling.py")
_REGISTERS = Machine._fields.index("narrow")
_ANY_BUILD = frozenset({"numba", "llvmlite", "llvm", "cpu", "features"})
"""What code that came with the package may differ in: whoever built it chose the compiler, and a kind of machine."""


class Unit(NamedTuple):
    """What is compiled at once: kernels of one dtype, or of one cell and dtype, or all entry points."""

    name: str
    dtype: str = "any"
    cell: str = "any"

    def __str__(self) -> str:
        return " ".join(word for word in (self.name, self.cell, self.dtype) if word != "any")


class Made(NamedTuple):
    """The unit, the sources and the vector unit they are emitted for, the system, the compiler, the machine, and
    Python's objects.

    llvm: by the size of its library, since to ask its version is to load it. head: bytes of a Python object before an
    array's first field, 16, or 32 in a build without the global lock.
    """

    format: int
    name: str
    dtype: str
    cell: str
    sources: str
    system: str
    head: int
    numba: str
    llvmlite: str
    llvm: str
    cpu: str
    features: str

    def file_name(self, shipped: bool = False) -> str:
        """One for each: code for other machines and versions lies beside it. Where it was shipped its folder says
        for which machine, and any compiler's will do."""
        words = [word for word in (self.name, self.cell[:40], self.dtype) if word != "any"]
        told = {key: value for key, value in self._asdict().items() if not (shipped and key in _ANY_BUILD)}
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        return re.sub(r"[^A-Za-z0-9_-]", "_", "-".join(words)) + f"-{key}.code"

    def difference(self, other: object, shipped: bool = False) -> str | None:
        """What differs in code that says of itself that it was made of `other`, a JSON value; None where it serves."""
        if not isinstance(other, dict):
            return "no header"
        own = self._asdict()
        different = [name for name, value in own.items() if other.get(name) != value]
        if shipped:
            different = [name for name in different if name not in _ANY_BUILD]
            if missing := _words(other.get("features")) - _words(self.features):
                different.append("features " + " ".join(sorted(missing)))
        return "another " + ", ".join(different) if different else None


def made(unit: Unit) -> Made:
    """What a unit is made of in this process."""
    machine = machine_words()
    return Made(
        FORMAT, unit.name, unit.dtype, unit.cell, sources(), system(), object.__basicsize__, _version("numba"),
        _version("llvmlite"), _llvm(), machine.name, machine.features,
    )  # fmt: skip


@cache
def sources() -> str:
    """A digest of everything that code is made from, and of the vector unit that it is made for: its registers, not
    which instructions for narrow numbers it has, since code without them serves a machine that has them.
    """
    return hashlib.sha256(f"{host()[:_REGISTERS]} {content()}".encode()).hexdigest()[:32]


@cache
def content() -> str:
    """A digest of the files that code is made from. In a frozen program (PyInstaller) there are none: there stands for
    them what the package's shipped code says that it was made from, or else the version of the package.
    """
    found = sorted(path for name in _SOURCES for path in _files(os.path.join(_PACKAGE, name)))
    if found:
        total = hashlib.sha256()
        for path in found:
            with open(path, "rb") as file:
                total.update(file.read())
        return total.hexdigest()
    shipped = sorted(Path(_PACKAGE, "prebuilt").glob(f"*/{SHIPPED}"))
    return shipped[0].read_text(encoding="utf-8") if shipped else __version__


def _files(path: str) -> Iterator[str]:
    if path.endswith(".py"):
        yield from (path,) if os.path.isfile(path) else ()
        return
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))


@cache
def _version(package: str) -> str:
    """Of Numba or llvmlite, without importing it, or its metadata's reader, which takes 0.05 s."""
    folder = _folder(package)
    if folder is None:
        return "none"
    try:
        text = Path(folder, "_version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    if match := re.search(r"[\"']?version[\"']?\s*[:=]\s*[\"']([^\"']+)[\"']", text):
        return match[1]
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


@cache
def _llvm() -> str:
    try:
        libraries = sorted(Path(_folder("llvmlite") or "", "binding").glob("*llvmlite.*"))
        return " ".join(f"{library.name}:{library.stat().st_size}" for library in libraries) or "elsewhere"
    except OSError:
        return "unknown"


@cache
def _folder(package: str) -> str | None:
    found = importlib.util.find_spec(package)
    return found.submodule_search_locations[0] if found and found.submodule_search_locations else None


def _words(features: object) -> set[str]:
    return {word for word in str(features or "").split(",") if word.startswith("+")}
