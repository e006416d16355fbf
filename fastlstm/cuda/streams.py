"""The stream on which all work is queued: the current one of the library that has the memory and the products.

torch's side streams do not wait for the default stream, nor it for them, so one launch elsewhere would be a race.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from fastlstm.cuda.shim import SIMULATED, cuda_module, device_number

cuda = cuda_module()

# Handles that the driver gives the default streams: one for all threads, and one for each.
LEGACY, PER_THREAD = 1, 2
# The one that Numba means when it is told nothing.
NUMBAS = PER_THREAD if os.environ.get("NUMBA_CUDA_PER_THREAD_DEFAULT_STREAM", "0") == "1" else LEGACY


class _Meeting(threading.local):
    """The running thread's innermost meeting: where it is, and the streams that it has joined."""

    place: tuple[int, int] | None = None
    joined: set[int] | None = None


_meeting = _Meeting()


@cache
def partner() -> ModuleType | None:
    """torch or CuPy, the one whose memory, products and current stream are used; None where neither is there."""
    if not SIMULATED and find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return torch
    if not SIMULATED and find_spec("cupy") is not None:
        import cupy

        return cupy
    return None


def place() -> tuple[int, int]:
    """The current GPU's number, and the handle of the stream that is current there; in a meeting, that meeting's."""
    return _meeting.place or _asked()


def _asked() -> tuple[int, int]:
    """The same from the library, which takes 10 us to say: a forward pass wants it a dozen times."""
    library = partner()
    if library is None:
        return device_number(), NUMBAS
    if library.__name__ == "torch":
        stream = library.cuda.current_stream()
        return stream.device_index, stream.cuda_stream or LEGACY
    stream = library.cuda.get_current_stream()
    if _held.get(stream.ptr) is not stream:
        _held[stream.ptr] = stream
        if len(_held) > MOST_HELD:
            del _held[next(iter(_held))]
    return library.cuda.runtime.getDevice(), stream.ptr or LEGACY


# CuPy ends a stream with its last owner; a backward pass may wait for the stream of its forward pass later.
_held: dict[int, Any] = {}
MOST_HELD = 64


def current() -> Any:
    """The current stream as Numba takes it."""
    return stream_of(place()[1])


@lru_cache(256)
def stream_of(handle: int) -> Any:
    """Numba's stream of a handle. In the simulator 0: it runs everything at once."""
    return 0 if SIMULATED else cuda.external_stream(handle)


def handle_of(array: Any) -> int:
    """The stream that one of Numba's arrays was written on; what does not say so is on Numba's default stream."""
    return int(array.stream) or NUMBAS


@contextmanager
def meeting(handles: Iterable[int] = ()) -> Iterator[set[int]]:
    """Streams that are joined inside wait, at the end, for what was queued inside.

    So whoever frees an array on its own stream frees it behind the work that reads it here. Yields the streams of the
    meeting, the current one among them; `handles`: those that are joined from the start.
    """
    outer = _meeting.place, _meeting.joined
    _meeting.place = place()
    here = _meeting.place[1]
    joined = _meeting.joined = {here}
    try:
        for handle in handles:
            join(handle)
        yield joined
    finally:
        _meeting.place, _meeting.joined = outer
        for handle in joined - {here}:
            _follow(handle, here)


def join(handle: int) -> None:
    """What is queued on the current stream from now on waits for what is queued on this one."""
    here = place()[1]
    joined = _meeting.joined
    if handle != here and (joined is None or handle not in joined):
        _follow(here, handle)
        if joined is not None:
            joined.add(handle)


def _follow(later: int, earlier: int) -> None:
    event = cuda.event(timing=False)
    event.record(stream_of(earlier))
    event.wait(stream_of(later))


def configured(kernel: Any, grid: Any, block: Any, shared_bytes: int = 0) -> Any:
    """The kernel, to be called for this grid of blocks on the current stream."""
    if SIMULATED:
        return kernel[grid, block, current(), shared_bytes]
    return _configured(kernel, grid, block, shared_bytes, place())


@lru_cache(1024)
def _configured(kernel: Any, grid: Any, block: Any, shared_bytes: int, where: tuple[int, int]) -> Any:
    """Numba warns of every grid with fewer than 128 blocks, and small batches' grids are meant to be small."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Grid size")  # begins with the code of a bold letter
        return kernel[grid, block, stream_of(where[1]), shared_bytes]
