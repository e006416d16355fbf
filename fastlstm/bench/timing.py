"""The stopwatch."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter

BATCH_SECONDS = 1e-3
"""Short calls are timed this long together: reading the clock costs 50 ns."""


def times(call: Callable[[], object], seconds: float) -> list[float]:
    """Seconds per call, of one batch after another for about `seconds`; a call longer than that is made once.

    The first call is not counted unless it alone takes that long: the caches hold another library's data.
    """
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        once = _timed(call, 1)
        if once >= seconds:
            return [once]
        once = _timed(call, 1)
        batch = max(1, int(BATCH_SECONDS / once))
        found = []
        end = perf_counter() + seconds
        while True:
            found.append(_timed(call, batch))
            if perf_counter() >= end:
                return found
    finally:
        if was_enabled:
            gc.enable()


def _timed(call: Callable[[], object], count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - start) / count
