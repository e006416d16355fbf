"""Reading and writing where a stranger chose the names: regular files only, no more than asked for, no link followed.

A repository may hold links, named pipes and links to devices under any name, those of the linter's own files included.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

LARGEST = 64_000_000
"""Bytes of the largest file that is read at all."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""Opening a pipe that nobody writes to returns instead of waiting, and a terminal stays what it is."""

BY_DESCRIPTOR = bool(NO_LINK) and {os.open, os.mkdir, os.unlink, os.rename} <= os.supports_dir_fd
"""Whether a name can be looked up in an open folder, so that nobody can put a link in between. Not on Windows."""


def read(path: str | Path, largest: int = LARGEST) -> bytes:
    """The content of a regular file of at most `largest` bytes, links followed. OSError for anything else."""
    _regular(os.stat(path), largest)  # before it is opened: opening alone moves some devices
    return _read(os.open(path, os.O_RDONLY | PLAIN | AT_ONCE), largest)


def _read(descriptor: int, largest: int) -> bytes:
    with open(descriptor, "rb") as file:
        _regular(os.fstat(descriptor), largest)
        data = file.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, _too_large(largest))
    return data


def _regular(about: os.stat_result, largest: int) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if about.st_size > largest:
        raise OSError(errno.EFBIG, _too_large(largest))


def _too_large(largest: int) -> str:
    return f"larger than {largest // 1_000_000} MB"


class Folder:
    """An open folder that was reached from a trusted one by plain names. Every method raises OSError alone.

    A name is a single one, never a path; what it stands for is read, written and removed only if it is no link.
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path, self._descriptor = path, descriptor

    @classmethod
    def trusted(cls, path: str | Path, make: bool = False) -> Folder:
        """The folder that the user named, whatever links lead there; with `make` it is made where it is missing."""
        if make:
            os.makedirs(path, exist_ok=True)
        real = os.path.realpath(path)
        return cls(real, os.open(real, os.O_RDONLY | os.O_DIRECTORY | PLAIN) if BY_DESCRIPTOR else None)

    @classmethod
    def below(cls, path: str | Path, names: Iterable[str], make: bool = False) -> Folder:
        """The folder that `names` lead to, one after the other, from a trusted one."""
        folder = cls.trusted(path)
        for name in names:
            with folder:
                folder = folder.enter(name, make)
        return folder

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; closing twice does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def enter(self, name: str, make: bool = False) -> Folder:
        """The folder of that name; with `make` it is made where it is missing."""
        path, where = self._at(name)
        if make:
            with suppress(FileExistsError):
                os.mkdir(path, **where)
        if not BY_DESCRIPTOR:
            if os.path.realpath(path) != path or not os.path.isdir(path):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return Folder(path, None)
        inner = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NO_LINK | PLAIN, **where)
        return Folder(os.path.join(self.path, name), inner)

    def read(self, name: str, largest: int = LARGEST) -> bytes:
        """The content of a regular file."""
        path, where = self._at(name)
        _regular(os.stat(path, follow_symlinks=False, **where), largest)
        return _read(os.open(path, os.O_RDONLY | NO_LINK | PLAIN | AT_ONCE, **where), largest)

    def create(self, name: str, data: bytes) -> None:
        """A new file. FileExistsError if anything has the name, a link into nowhere included."""
        path, where = self._at(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | PLAIN, 0o666, **where), "wb") as file:
            file.write(data)

    def replace(self, name: str, data: bytes, part: str | None = None) -> None:
        """A file with this content in the place of what has the name: whole or not at all, whoever else writes.

        `part` is the name that the file has until it is written.
        """
        part = part or f"{name}.{os.urandom(8).hex()}"
        self.create(part, data)
        (old, where), (new, _) = self._at(part), self._at(name)
        descriptor = where.get("dir_fd")
        try:
            os.replace(old, new, src_dir_fd=descriptor, dst_dir_fd=descriptor)
        except OSError:
            self.remove(part)
            raise

    def remove(self, name: str) -> None:
        """Unlink a file, or a link itself."""
        path, where = self._at(name)
        os.unlink(path, **where)

    def touch(self, name: str, older_than: float) -> None:
        """Give a file the time of now if its own is more than so many seconds ago."""
        path, where = self._at(name)
        if time.time() - os.stat(path, follow_symlinks=False, **where).st_mtime <= older_than:
            return
        descriptor = os.open(path, os.O_RDONLY | NO_LINK | PLAIN | AT_ONCE, **where)
        try:
            os.utime(descriptor if os.utime in os.supports_fd else path)
        finally:
            os.close(descriptor)

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Each name with what itself is, not what a link leads to."""
        self._check()
        with os.scandir(self.path if self._descriptor is None else self._descriptor) as found:
            for entry in found:
                yield entry.name, entry.stat(follow_symlinks=False)

    def _at(self, name: str) -> tuple[str, dict[str, Any]]:
        if name in ("", ".", "..") or os.path.basename(name) != name or "\0" in name:
            raise OSError(errno.EINVAL, f"not the name of a file: {name!r}")
        if self._descriptor is not None:
            return name, {"dir_fd": self._descriptor}
        self._check()
        return os.path.join(self.path, name), {}

    def _check(self) -> None:
        """Without descriptors: nobody has put a link in the place of this folder since it was entered."""
        if self._descriptor is None and (BY_DESCRIPTOR or os.path.realpath(self.path) != self.path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def replace(path: Path, data: bytes, below: Path | None = None) -> None:
    """Put a file where the path says; from `below` on, if it is given, no link is followed. OSError if one would be."""
    parts = path.relative_to(below).parts[:-1] if below is not None else ()
    with Folder.below(below or path.parent, parts) as folder:
        folder.replace(path.name, data)


def leads_out(path: Path, places: Iterable[Path]) -> bool:
    """Whether a path is a link to a file that is neither beside it nor below one of the folders."""
    real = os.path.realpath(path)
    beside = os.path.join(os.path.realpath(path.parent), path.name)
    return real != beside and not any(Path(real).is_relative_to(os.path.realpath(place)) for place in places)
