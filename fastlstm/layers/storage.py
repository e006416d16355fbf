"""Parameters on disk: safetensors, or NumPy's npz read without pickle. What a file says is not believed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from numpy import ndarray
from numpy.lib import format as npy
from safetensors.numpy import save_file

from ..errors import refuse_type

if TYPE_CHECKING:
    import zipfile

# As safetensors calls them; bfloat16, which NumPy lacks, is read as float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1", "C64": "<c8"}  # fmt: skip
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Stored(Mapping[str, ndarray]):
    """The arrays of a file by name, each read when it is asked for; `shapes` is known before.

    Whoever loads them can so compare names and shapes first: zeros take a thousandth of their size in a file.
    """

    def __init__(self, path: Path, shapes: dict[str, tuple[int, ...]], read: Callable[[str], ndarray]) -> None:
        self.path, self.shapes, self._read = path, shapes, read

    def __getitem__(self, name: str) -> ndarray:
        if name not in self.shapes:
            raise KeyError(name)
        with _damage(self.path, name):
            return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __repr__(self) -> str:
        return f"Stored({str(self.path)!r}, {self.shapes})"


def save(state: Mapping[str, ndarray], path: str | os.PathLike[str]) -> None:
    """Write a state_dict to `path`, in the format its suffix names: .safetensors or .npz.

    Several modules share a file by their prefixes: `save(lstm.state_dict("lstm.") | head.state_dict("head."), path)`.
    """
    if not isinstance(state, Mapping):
        refuse_type("state", state, "state_dict", "save(lstm.state_dict(), path)")
    path = _checked(path)
    arrays = dict(state)  # all of them are read before the file is opened, which may be the one they are in
    if path.suffix == ".npz":
        np.savez(path, allow_pickle=False, **arrays)
    else:
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)


def load(path: str | os.PathLike[str]) -> Stored:
    """The state_dict in `path`, for `load_state_dict`: a mapping of names to arrays. Nothing in the file is executed.

    ValueError, naming the file and the array, for a file that is damaged, here or when the array is read; OSError where
    there is none. `dict(load(path))` reads all arrays at once.
    """
    path = _checked(path)
    path.open("rb").close()  # no such file, or not allowed: in the system's own words
    with _damage(path):
        return _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)


def _checked(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(f"path is {str(path)!r}, expected a name in .safetensors or .npz")
    return path


class _DamagedError(ValueError):
    """Of a file, and it says which, and which array."""


@contextmanager
def _damage(path: Path, name: str = "") -> Iterator[None]:
    """Whatever the readers of zip, npy and safetensors raise, one ValueError."""
    try:
        yield
    except _DamagedError:
        raise
    except Exception as error:
        where = f"{str(path)!r}: {name!r}" if name else repr(str(path))
        raise _DamagedError(f"{where} cannot be read: {str(error) or type(error).__name__}") from error


def _read_safetensors(path: Path) -> Stored:
    found = dict(safetensors.deserialize(path.read_bytes()))  # checks that header and data are of one size

    def read(name: str) -> ndarray:
        entry = found[name]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(entry["data"], "<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] in DTYPES:
            values = np.frombuffer(entry["data"], DTYPES[entry["dtype"]]).copy()
        else:
            raise ValueError(f"its dtype is {entry['dtype']}, expected a float dtype")
        return values.reshape(entry["shape"])

    return Stored(path, {name: tuple(entry["shape"]) for name, entry in found.items()}, read)


def _read_npz(path: Path) -> Stored:
    import zipfile  # with what it imports it is a tenth of this package's own import

    file = zipfile.ZipFile(path)
    shapes: dict[str, tuple[int, ...]] = {}
    for entry in file.infolist():
        name = entry.filename.removesuffix(".npy")
        with _damage(path, name):
            if name == entry.filename or name in shapes:
                raise ValueError("it is not an array" if name == entry.filename else "it is there twice")
            shapes[name] = _shape(file, entry)

    def read(name: str) -> ndarray:
        with file.open(f"{name}.npy") as stream:
            return npy.read_array(stream, allow_pickle=False)

    return Stored(path, shapes, read)


def _shape(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """As the header of the array says; its size must be what the directory of the file says."""
    with file.open(entry) as stream:
        read_header: Any = HEADERS.get(npy.read_magic(stream))
        if read_header is None:
            raise ValueError("it is of an unknown version")
        shape, _, dtype = read_header(stream)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("it holds Python objects, and nothing is unpickled")
        if min(shape, default=0) < 0 or entry.file_size != stream.tell() + size:
            raise ValueError(f"{shape} numbers of {dtype} do not take the {entry.file_size} bytes that are there")
    return tuple(map(int, shape))
