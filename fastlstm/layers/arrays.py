"""From what a caller has to what a kernel takes: C-contiguous, aligned, writable, native-endian, of one dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import refuse_dtype, refuse_type

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def float_dtype(dtype: Any) -> np.dtype:
    """float32 or float64, whichever `dtype` names."""
    found = np.dtype(dtype).newbyteorder("=")
    if found not in FLOATS:
        raise ValueError(f"dtype is {found}, expected float32 or float64")
    return FLOATS[FLOATS.index(found)]


def require(name: str, value: Any, dtype: np.dtype) -> ndarray:
    """`value` as an array for a kernel, copied where it is strided, misaligned, read-only or big-endian.

    TypeError for anything but a NumPy array, ValueError for one of another dtype.
    """
    if type(value) is ndarray and value.dtype is dtype and value.flags.carray:  # saves the 4 us of np.require
        return value
    if not isinstance(value, ndarray):
        hint = {
            "torch": "fastlstm.torch has the same layers for tensors",
            "builtins": "convert it with np.asarray",
        }.get(type(value).__module__.partition(".")[0], "")
        refuse_type(name, value, "numpy array", hint)
    if plain(name, value, "numpy array").dtype.newbyteorder("=") != dtype:
        refuse_dtype(name, value.dtype, dtype)
    return np.require(value, dtype, ("C", "A", "W"))


def plain(name: str, value: Any, expected: str) -> ndarray:
    """`value`, a NumPy array. TypeError for anything else, and for a masked array, whose mask would be lost."""
    if not isinstance(value, ndarray):
        refuse_type(name, value, expected)
    if isinstance(value, np.ma.MaskedArray):
        refuse_type(name, value, expected, "fill it first; for sequences of unequal length there is reset= "
                    "or pack_padded_sequence")  # fmt: skip
    return value


def require_mask(name: str, value: Any) -> ndarray:
    """`value` as a boolean array for a kernel."""
    check_bool(name, plain(name, value, "numpy array of bool").dtype)
    return np.require(value, np.bool_, ("C", "A", "W"))


def check_bool(name: str, dtype: Any) -> None:
    """`dtype` is that of a mask."""
    if dtype != np.bool_:
        raise ValueError(f"{name} is {dtype}, expected bool: compare it, as in {name} != 0")


def read_only(value: ndarray) -> ndarray:
    """A view that cannot be written through."""
    view = value.view()
    view.flags.writeable = False
    return view


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], p: float, dtype: np.dtype) -> ndarray:
    """What to multiply with: 0 with probability `p`, else 1 / (1 - p), so that the mean stays."""
    kept = rng.random(shape, dtype) >= p  # random() is below 1, so p = 1 keeps nothing
    return kept * dtype.type(1 / (1 - p) if p < 1 else 0)
