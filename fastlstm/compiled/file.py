"""One file of the store: a digest of all that follows, a header in JSON, an object file. Nothing of it is executed or
believed before the digest agrees.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fastlstm.compiled.made import Made
from fastlstm.compiled.trust import stranger

_MAGIC = b"fastlstm code "
_MOST = 64 << 20  # bytes; the largest that there is has 0.2 MB
_FLAGS = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY"))


class Unusable(Exception):
    """Why a file is not loaded."""


class MadeOfOther(Unusable):
    """It is whole, and made for another machine, of other sources or by another compiler."""


class Code(NamedTuple):
    """An object file, its functions, the symbols it needs from the process, and which of them it is to be known by."""

    object: bytes
    functions: tuple[str, ...]
    needs: tuple[str, ...]


def read(path: Path, wanted: Made, shipped: bool = False) -> Code | None:
    """The code in a file, None where there is none. Unusable where it is not whole, was made of anything else, or is a
    link or may be written by a stranger; of the last two what came with the package is free.
    """
    try:
        content = _content(path, shipped)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = "a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
        raise Unusable(reason) from None
    found, code = _parsed(content)
    if difference := wanted.difference(found, shipped):
        raise (MadeOfOther if isinstance(found, dict) else Unusable)(difference)
    return code


def write(path: Path, code: Code, wanted: Made, shared: bool = False) -> None:
    """Put the file there in one step: who reads meanwhile finds the old one, or the new. OSError where it cannot be.

    shared: whether other users may read it.
    """
    header = {"made": wanted._asdict(), "functions": code.functions, "needs": code.needs}
    rest = json.dumps(header, sort_keys=True).encode() + b"\n" + code.object
    content = _MAGIC + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest
    beside = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o644 if shared else 0o600)
        with open(opened, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def header(path: Path) -> object:
    """What a whole file says that its code was made of, whether or not it may be loaded here. Unusable, OSError."""
    return _parsed(_content(path, shipped=True))[0]


def _content(path: Path, shipped: bool) -> bytes:
    links = 0 if shipped else getattr(os, "O_NOFOLLOW", 0)
    opened = os.open(path, os.O_RDONLY | _FLAGS | links)  # O_NONBLOCK: a named pipe does not keep us
    try:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            raise Unusable("no regular file")
        if not shipped and (reason := stranger(status)):
            raise Unusable(reason)
        if status.st_size > _MOST:
            raise Unusable("too large")
        with open(opened, "rb", closefd=False) as file:
            return file.read(_MOST)
    finally:
        os.close(opened)


def _parsed(content: bytes) -> tuple[object, Code]:
    """What the code says that it was made of, and the code."""
    first, _, rest = content.partition(b"\n")
    if first != _MAGIC + hashlib.sha256(rest).hexdigest().encode():
        raise Unusable("damaged" if first.startswith(_MAGIC[:8]) else "no compiled code")
    head, _, code = rest.partition(b"\n")
    try:
        header = json.loads(head)
        return header["made"], Code(code, tuple(header["functions"]), tuple(header["needs"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unusable("of another format") from None
