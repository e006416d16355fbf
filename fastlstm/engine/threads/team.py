"""Another library's OpenMP threads as members of a crew.

Such a thread spins for 4 to 10 ms after each of its library's operators, on a core that a worker of ours would have to
share with it: a training step through torch took 1.5 times as long. So while they are punctual, they do our work.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.engine.threads.control import AVOID, AVOIDED, CLOCK, FORK, LEFT, OMP_NUMBER, REGION, USED
from fastlstm.kernels.jit import inner
from fastlstm.kernels.sync import words_at

_I32, _I64 = ir.IntType(32), ir.IntType(64)

# So long after a region its threads are surely still awake: waking them costs more than little work.
AWAKE_NS = 1_000_000
# A region ends when all of its threads have come to its end, also those that found nothing to do. Where another process
# has their core they come milliseconds late, so the team is left alone for some calls, each time for twice as many.
LATE_NS = 200_000
LEAST_AVOIDED, MOST_AVOIDED = 32, 1024

if sys.platform.startswith("linux"):
    _clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.intp))
    _MONOTONIC = 1

    @inner
    def now(control):
        """Nanoseconds of a clock that does not go back."""
        _clock_gettime(_MONOTONIC, control + CLOCK * 8)
        words = words_at(control)
        return words[CLOCK] * 1_000_000_000 + words[CLOCK + 1]

else:

    @inner
    def now(control):
        return 0


@intrinsic
def _fork(typing_context: Any, address: Any, region: Any, data: Any, threads: Any):
    """void GOMP_parallel(void (*region)(void *), void *data, unsigned threads, unsigned flags)."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_I64, _I64, _I32, _I32])
        address, region, data, threads = args
        function = builder.inttoptr(address, kind.as_pointer())
        builder.call(function, [region, data, builder.trunc(threads, _I32), ir.Constant(_I32, 0)])
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, n, n, n), emit


@intrinsic
def ask(typing_context: Any, address: Any):
    """What `int f(void)` at an address returns."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        function = builder.inttoptr(args[0], ir.FunctionType(_I32, []).as_pointer())
        return builder.sext(builder.call(function, []), _I64)

    return types.int64(types.int64), emit


@inner
def is_punctual(control, brief):
    """Whether the team is to do this call: there is one, it was not late of late, and little work does not wake it."""
    words = words_at(control)
    if words[FORK] == 0:
        return False
    if words[AVOIDED] > 0:
        words[AVOIDED] -= 1
        return False
    return brief == 0 or now(control) - words[USED] < AWAKE_NS


@inner
def run_in_team(control, threads):
    """The published job by the team's threads, of which the caller is one; notes whether they were late."""
    words = words_at(control)
    _fork(words[FORK], words[REGION], control, threads)
    words[USED] = now(control)
    if words[USED] - words[LEFT] > LATE_NS:
        words[AVOID] = min(max(2 * words[AVOID], LEAST_AVOIDED), MOST_AVOIDED)
        words[AVOIDED] = words[AVOID]
    else:
        words[AVOID] = words[AVOID] >> 1


@inner
def member_number(control):
    """Of the calling thread in the team."""
    return ask(words_at(control)[OMP_NUMBER])


@inner
def leave(control, member):
    """The caller's own work is done: from here on it waits for the others to come to the region's end."""
    if member == 0:
        words_at(control)[LEFT] = now(control)
