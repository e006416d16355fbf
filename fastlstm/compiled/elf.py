"""An ELF object for x86-64 becomes functions in this process, without LLVM, whose import takes 0.09 s.

Objects are emitted for code at any distance from what it calls, so that all that is left to fill in are whole
addresses. Formats: System V ABI, chapter 4, and its supplement for AMD64, chapter 4.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

_ADDRESS = 1  # R_X86_64_64
_PROGRAM, _SYMBOLS, _RELOCATIONS, _UNWINDING = 1, 2, 4, 0x70000001  # SHT_*
_WRITABLE, _ALLOCATED, _OF_A_THREAD = 1, 2, 0x400  # SHF_*
_NOT_OF_A_SECTION = 0xFF00  # SHN_LORESERVE


class Unknown(Exception):
    """An object has something that is not handled here."""


class Fix(NamedTuple):
    """Eight bytes of an image to be filled in with the address of a symbol, and `more`.

    name: of what is elsewhere in the process; empty where it is in the image, at `offset`.
    """

    place: int
    name: str
    offset: int
    more: int


class Image(NamedTuple):
    """What an object becomes in memory: its bytes, what must be filled in, and where its functions begin."""

    content: bytes
    fixes: tuple[Fix, ...]
    functions: dict[str, int]


class _Section(NamedTuple):
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class _Symbol(NamedTuple):
    name: str
    section: int
    value: int


def read(content: bytes) -> Image:
    """The image of an object. Unknown where LLVM has to do it."""
    if content[:7] != b"\x7fELF\x02\x01\x01" or content[16:20] != b"\x01\x00\x3e\x00":  # relocatable, x86-64
        raise Unknown("no relocatable object for x86-64")
    try:
        return _image(content, list(_sections(content)))
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise Unknown(f"an object that is not whole: {error!r}") from None


def _image(content: bytes, sections: list[_Section]) -> Image:
    starts: dict[int, int] = {}
    image = bytearray()
    for number, section in enumerate(sections):
        if not section.flags & _ALLOCATED or section.kind == _UNWINDING:  # nothing of ours is unwound
            continue
        if section.kind != _PROGRAM or section.flags & (_WRITABLE | _OF_A_THREAD):
            raise Unknown("a section that is written")
        image += bytes(-len(image) % max(section.alignment, 1))
        starts[number] = len(image)
        image += content[section.offset : section.offset + section.size]
    symbols: list[_Symbol] = []
    for section in sections:
        if section.kind == _SYMBOLS:
            symbols += _symbols(content, sections, section)
    fixes: list[Fix] = []
    for section in sections:
        if section.kind == _RELOCATIONS and section.info in starts:
            fixes += _fixes(content, section, symbols, starts)
    if any(fix.place + 8 > len(image) for fix in fixes):
        raise Unknown("a relocation outside of its section")
    functions = {one.name: starts[one.section] + one.value for one in symbols if one.name and one.section in starts}
    return Image(bytes(image), tuple(fixes), functions)


def _sections(content: bytes) -> Iterator[_Section]:
    (start,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    for number in range(count):
        yield _Section(*struct.unpack_from("<4xIQ8xQQIIQ", content, start + size * number))


def _symbols(content: bytes, sections: list[_Section], table: _Section) -> Iterator[_Symbol]:
    names = sections[table.link].offset
    for place in range(table.offset, table.offset + table.size, 24):
        name, section, value = struct.unpack_from("<I2xHQ", content, place)
        yield _Symbol(content[names + name : content.index(b"\0", names + name)].decode(), section, value)


def _fixes(content: bytes, table: _Section, symbols: list[_Symbol], starts: dict[int, int]) -> Iterator[Fix]:
    for place in range(table.offset, table.offset + table.size, 24):
        offset, kind, number, more = struct.unpack_from("<QIIq", content, place)
        symbol = symbols[number]
        if kind != _ADDRESS or symbol.section >= _NOT_OF_A_SECTION:
            raise Unknown(f"a relocation of kind {kind}")
        inside = starts[symbol.section] + symbol.value if symbol.section else 0
        yield Fix(starts[table.info] + offset, "" if symbol.section else symbol.name, inside, more)


def place(image: Image, symbol: Callable[[str], int]) -> int:
    """Put an image into memory of its own, for the life of the process, to be executed and not written; its address.

    symbol: the address of what is elsewhere. OSError where the system gives no memory, or none to execute.
    """
    named = {fix.name: symbol(fix.name) for fix in image.fixes if fix.name}
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    size = max(len(image.content), 1)
    base = library.mmap(
        None, ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1,
        ctypes.c_long(0),
    )  # fmt: skip
    if base in (None, ctypes.c_void_p(-1).value):
        raise _system_error()
    content = bytearray(image.content)
    for fix in image.fixes:
        value = (named[fix.name] if fix.name else base + fix.offset) + fix.more
        struct.pack_into("<Q", content, fix.place, value % (1 << 64))
    ctypes.memmove(base, bytes(content), len(content))
    if library.mprotect(ctypes.c_void_p(base), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        error = _system_error()
        library.munmap(ctypes.c_void_p(base), ctypes.c_size_t(size))
        raise error
    return int(base)


def _system_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
