"""The files that a linted file imports: found and read without running anything, each once per run.

An absolute name is looked for beside the outermost package of the importing file, in the folders from there up to the
root, in a `src` folder of the root, and beside the importing file itself, as for a script. What installed packages
import is not followed: it would be most of what is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import disk
from .outline import Outline, outline

if TYPE_CHECKING:
    from . import cst

LIBRARIES = frozenset({"torch", "fastlstm", "numpy", "einops"}) | sys.stdlib_module_names
"""Top-level names that are never files of the program: the signatures know them, or nothing of shapes is in them."""

INSTALLED = frozenset({"site-packages", "dist-packages"})
LARGEST = 1_000_000
"""Bytes of the largest file that is followed into. Anything larger is data or generated."""

FOLDERS = 8
"""Folders above the outermost package that are searched at most."""

HOPS = 2
"""Imports in a row, `__init__.py` not counted, by which a file without a recurrent layer of its own may reach one."""

RECURRENT = re.compile(rb"LSTM|GRU|RNN")
IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*[ \t]*[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n#(]*)|import[ \t]+([^\n#]+))", re.MULTILINE
)
WORD = re.compile(rb"[\w.]+")


def mentions_recurrent(data: bytes) -> bool:
    """Whether a file may hold a recurrent layer: it names one, and not only in comments."""
    at = 0
    while (match := RECURRENT.search(data, at)) is not None:
        before = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()]
        # A line that begins a text may have a `#` in it.
        if b"#" not in before or b"'" in before or b'"' in before:
            return True
        # The rest of the line is a comment too, unless a quotation mark stands before a further name.
        end = data.find(b"\n", match.end())
        end = len(data) if end < 0 else end
        at = min((place for mark in (b"'", b'"') if (place := data.find(mark, match.end(), end)) >= 0), default=end)
    return False


class SourceTree:
    """The folders and files of one run, as they were when first looked at."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(dict.fromkeys(Path(os.path.abspath(root)) for root in roots))
        self._folders: dict[Path, dict[str, bool]] = {}
        self._contents: dict[Path, bytes | None] = {}
        self._digests: dict[Path, str] = {}
        self._bases: dict[Path, tuple[Path, ...]] = {}

    def is_folder(self, path: Path) -> bool | None:
        """True for a folder, False for a file, None for what does not exist."""
        listing = self._folders.get(path.parent)
        if listing is None:
            try:
                with os.scandir(path.parent) as entries:
                    listing = {entry.name: entry.is_dir() for entry in entries}
            except OSError:
                listing = {}
            self._folders[path.parent] = listing
        return listing.get(path.name)

    def read(self, path: Path) -> bytes | None:
        """The content of a file; None for one that cannot be read or is too large."""
        if path not in self._contents:
            try:
                data: bytes | None = disk.read(path, LARGEST)
            except OSError:
                data = None
            self._contents[path] = data
        return self._contents[path]

    def state(self, path: Path) -> str:
        """A word that changes when what stands at a path does."""
        if path not in self._digests:
            folder = self.is_folder(path)
            if folder is False:
                self._digests[path] = hashlib.sha256(self.read(path) or b"").hexdigest()
            else:
                self._digests[path] = "folder" if folder else "absent"
        return self._digests[path]

    def bases(self, folder: Path) -> tuple[Path, ...]:
        """The folders in which a file of `folder` finds what it imports by absolute name."""
        if folder not in self._bases:
            top = self.package_top(folder)
            roots = [root for root in self.roots if folder.is_relative_to(root)]
            above = [each for each in top.parents[:FOLDERS] if any(each.is_relative_to(root) for root in roots)]
            found = [top, *above, *(root / "src" for root in roots if self.is_folder(root / "src")), folder]
            self._bases[folder] = tuple(dict.fromkeys(found))
        return self._bases[folder]

    def package_top(self, folder: Path) -> Path:
        """The folder that holds the outermost package around `folder`; `folder` itself if it is no package."""
        while self.is_folder(folder / "__init__.py") is False and folder != folder.parent:
            folder = folder.parent
        return folder


class Imports:
    """What one linted file imports. `needs` says on which files that depended."""

    def __init__(self, tree: SourceTree, path: str | Path) -> None:
        self.tree = tree
        self.path = Path(os.path.abspath(path))
        self._asked: set[Path] = set()
        self._files: dict[Path, SourceFile] = {}
        self.home = SourceFile(self, self.path.parent, self.path)

    def is_folder(self, path: Path) -> bool | None:
        self._asked.add(path)
        return self.tree.is_folder(path)

    def needs(self) -> dict[str, str]:
        """The state of every place looked at, by its path from the linted file's folder."""
        folder = self.path.parent
        return {os.path.relpath(path, folder): self.tree.state(path) for path in sorted(self._asked)}

    def bases(self) -> list[str]:
        """Where absolute names are looked for, by path from the linted file's folder."""
        folder = self.path.parent
        return [os.path.relpath(base, folder) for base in self.tree.bases(folder)]

    def still_hold(self, needs: dict[str, str]) -> bool:
        """Whether all places are in the state that an earlier run saw."""
        folder = self.path.parent
        return all(self.tree.state(Path(os.path.normpath(folder / name))) == state for name, state in needs.items())

    def module(self, folder: Path, name: str, *, plain: bool = True) -> SourceFile | None:
        """Module or package `name` in a folder; with `plain` False also a folder without `__init__.py`."""
        init = folder / name / "__init__.py"
        if self.is_folder(folder / name) and self.is_folder(init) is False:
            return self.file(init.parent, init)
        single = folder / f"{name}.py"
        if self.is_folder(single) is False:
            return self.file(folder, single)
        if not plain and self.is_folder(folder / name):
            return self.file(folder / name, None)
        return None

    def file(self, folder: Path, path: Path | None) -> SourceFile:
        """One object per file; that of the linted file for its own path."""
        if path == self.path:
            return self.home
        key = path or folder
        if key not in self._files:
            self._files[key] = SourceFile(self, folder, path)
        return self._files[key]

    def locate(self, node: cst.CSTNode) -> tuple[str, int] | None:
        """The file and the row in which a node of an imported file stands."""
        from .positions import Positions

        for file in self._files.values():
            for statements in file.outline.statements.values():
                for statement in statements:
                    span = None if (module := statement.parsed) is None else Positions(module).find(node)
                    if span is not None:
                        return file.name, span[0].row + statement.row - 1
        return None

    def reach_recurrent(self, data: bytes) -> bool:
        """Whether the linted file, whose content is `data`, imports a file that has recurrent layers."""
        if (b"torch" not in data and b"fastlstm" not in data) or INSTALLED.intersection(self.home.folder.parts):
            return False
        return _reaches(self.home, data, HOPS, {self.home})


def _reaches(file: SourceFile, data: bytes, hops: int, seen: set[SourceFile]) -> bool:
    for found in _imported(file, data):
        if found in seen or found.path is None:
            continue
        seen.add(found)
        content = found.content() or b""
        if mentions_recurrent(content):
            return True
        left = hops if found.path.name == "__init__.py" else hops - 1
        if left > 0 and _reaches(found, content, left, seen):
            return True
    return False


def _statements(data: bytes) -> Iterator[re.Match[bytes]]:
    """The import statements in the bytes of a program: only lines with that word are looked at."""
    at = data.find(b"import")
    while at >= 0:
        match = IMPORT.match(data, data.rfind(b"\n", 0, at) + 1)
        if match is not None:
            yield match
        line = data.find(b"\n", at if match is None else max(at, match.end()))
        at = -1 if line < 0 else data.find(b"import", line)


def _imported(file: SourceFile, data: bytes) -> Iterator[SourceFile]:
    """The files that import statements name, read from the bytes: parsing would take ten times as long."""
    for match in _statements(data):
        if match[3] is not None:
            words = [(part.split() or [b""])[0] for part in match[3].split(b",")]
            asked = [(word.decode("ascii", "replace"), 0) for word in words]
            names: list[str] = []
        else:
            spec = match[1].decode("ascii", "replace").replace(" ", "").replace("\t", "")
            asked = [(spec.lstrip("."), len(spec) - len(spec.lstrip(".")))]
            names = [word.decode("ascii", "replace") for word in WORD.findall(match[2])]
        for module, level in asked:
            found = file.find(module, level)
            if found is not None:
                yield found
                if found.is_package:
                    yield from (inner for name in names if (inner := found.submodule(name)) is not None)


class SourceFile:
    """A file of the program, or a folder of them without `__init__.py`, whose `path` is None."""

    def __init__(self, imports: Imports, folder: Path, path: Path | None) -> None:
        self.imports, self.folder, self.path = imports, folder, path
        self._names: frozenset[str] | None = None

    @property
    def is_package(self) -> bool:
        return self.path is None or self.path.name == "__init__.py"

    @property
    def name(self) -> str:
        """As a message calls it: `layers.py`, `models/__init__.py`."""
        path = self.path or self.folder
        return f"{path.parent.name}/{path.name}" if self.is_package else path.name

    def content(self) -> bytes | None:
        return None if self.path is None else self.imports.tree.read(self.path)

    @property
    def outline(self) -> Outline:
        """What the file binds at its top level; nothing if it cannot be read or parsed."""
        return outline(self.content() or b"")

    def find(self, module: str, level: int) -> SourceFile | None:
        """The file that `module` means in this one; `level` is the number of leading dots."""
        words = module.split(".") if module else []
        if INSTALLED.intersection(self.folder.parts):
            return None
        if level > 0:
            folder = self.folder
            for _ in range(level - 1):
                folder = folder.parent
            if not words:
                init = folder / "__init__.py"
                return self.imports.file(folder, init if self.imports.is_folder(init) is False else None)
            return self._descend([folder], words)
        if not words or words[0] in LIBRARIES or not all(words):
            return None
        return self._descend(self.imports.tree.bases(self.folder), words)

    def _descend(self, folders: Iterable[Path], words: list[str]) -> SourceFile | None:
        # A package or module anywhere comes before a bare folder, as in Python.
        tries = ((folder, plain) for plain in (True, False) for folder in folders)
        found = None
        for folder, plain in tries:
            found = self.imports.module(folder, words[0], plain=plain)
            if found is not None:
                break
        for word in words[1:]:
            found = None if found is None else found.submodule(word)
        return found

    def submodule(self, name: str) -> SourceFile | None:
        """Module `name` of this package."""
        return self.imports.module(self.folder, name, plain=False) if self.is_package else None

    def exported(self) -> frozenset[str]:
        """The names that `import *` hands on."""
        if self._names is None:
            self._names = self._exported({self})
        return self._names

    def _exported(self, seen: set[SourceFile]) -> frozenset[str]:
        here = self.outline
        if here.listed is not None:
            return here.listed
        names = set(here.statements)
        for module, level in here.stars:
            other = self.find(module, level)
            if other is not None and other not in seen:
                seen.add(other)
                names |= other._exported(seen)
        return frozenset(name for name in names if not name.startswith("_"))
