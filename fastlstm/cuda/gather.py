"""Entries of an array in another order, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from fastlstm.cuda import streams
from fastlstm.cuda.arrays import upload
from fastlstm.cuda.matrix import copy, elementwise, library
from fastlstm.cuda.shim import cuda_module, device_number, worded

cuda = cuda_module()


@cuda.jit
def gathered(source, index, missing, out):
    """Kernel: out[a, m] = source[a, index[m]], or `missing` where the index is negative. Three axes each."""
    M, W = out.shape[1], out.shape[2]
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        w = i % W
        m = i // W % M
        a = i // W // M
        out[a, m, w] = source[a, index[m], w] if index[m] >= 0 else missing


def gather(source: Any, axis: int, index: np.ndarray, missing: float = 0) -> Any:
    """A new array of `source`'s entries `index` along `axis`, and `missing` where it is negative.

    source: a C-contiguous device array of any dtype. index: (M,) int64, on the host. CudaError where the GPU fails.
    """
    lead, rest = source.shape[:axis], source.shape[axis + 1 :]
    shape = (*lead, len(index), *rest)
    with worded(), streams.meeting([streams.handle_of(source)]):
        out = library().empty(shape, np.dtype(source.dtype))
        if out.size:
            flat = (source.reshape(prod(lead), source.shape[axis], prod(rest)), _uploaded(index))
            number = np.dtype(source.dtype).type(missing)
            elementwise(gathered, out.size, *flat, number, out.reshape(prod(lead), len(index), prod(rest)))
    return out


def joined(sources: Sequence[Any]) -> Any:
    """Device arrays of one dtype, and of the same shape but for their first axis, behind each other."""
    rows = [source.shape[0] for source in sources]
    with worded(), streams.meeting(map(streams.handle_of, sources)):
        out = library().empty((sum(rows), *sources[0].shape[1:]), np.dtype(sources[0].dtype))
        for source, count, end in zip(sources, rows, np.cumsum(rows).tolist(), strict=True):
            if source.size:
                copy(source, out[end - count : end])
    return out


# An order of sequences is asked for at each state of a call, and again in its backward.
MOST_KEPT = 4096


def _uploaded(index: np.ndarray) -> Any:
    index = np.ascontiguousarray(index, np.int64)
    return _kept(index.tobytes(), device_number()) if len(index) <= MOST_KEPT else upload(index)


@lru_cache(16)
def _kept(index: bytes, _number: int) -> Any:
    return upload(np.frombuffer(index, np.int64).copy())
