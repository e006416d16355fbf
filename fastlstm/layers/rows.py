"""Rows of arrays on the host or on a GPU: what packing moves. Results are where the arguments are."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from ..cuda.shim import has_dlpack
from ..errors import refuse_type
from .arrays import plain


def on_gpu(value: Any) -> bool:
    """Whether `value` says that it is an array on an NVIDIA GPU. Does not load CUDA."""
    return hasattr(value, "__cuda_array_interface__") or hasattr(value, "__cuda_ndarray__") or has_dlpack(value)


def array_of(name: str, value: Any) -> Any:
    """A NumPy array as it is, an array on a GPU as one of Numba's, which shares its memory. TypeError for others."""
    if isinstance(value, ndarray):
        return plain(name, value, "numpy array")
    if not on_gpu(value):
        refuse_type(name, value, "numpy array")
    from ..cuda.arrays import as_device

    return as_device(name, value)


def rows_at(array: Any, first: ndarray, second: ndarray) -> Any:
    """array[first, second] of an array (A, B, ...)."""
    if isinstance(array, ndarray):
        return array[first, second]
    from ..cuda.arrays import shaped
    from ..cuda.gather import gather

    A, B, *rest = array.shape
    return gather(shaped(array, A * B, *rest), 0, first * B + second)


def rows_to(rows: Any, first: ndarray, second: ndarray, lead: tuple[int, int], filling: float) -> Any:
    """An array (*lead, ...) with `rows` at [first, second] and `filling` elsewhere."""
    rest = tuple(rows.shape)[1:]
    if isinstance(rows, ndarray):
        array = np.full((*lead, *rest), filling, rows.dtype)
        array[first, second] = rows
        return array
    from ..cuda.arrays import shaped
    from ..cuda.gather import gather

    source = np.full(lead, -1)
    source[first, second] = np.arange(len(first))
    return shaped(gather(rows, 0, source.reshape(prod(lead)), filling), *lead, *rest)


def joined(arrays: Sequence[Any]) -> Any:
    """Arrays of one dtype behind each other."""
    if isinstance(arrays[0], ndarray):
        return np.concatenate(arrays)
    from ..cuda import gather

    return gather.joined(arrays)
