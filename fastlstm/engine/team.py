"""Running a job on another library's OpenMP threads instead of our own.

Two pools on the same cores fight: an OpenMP worker spins for milliseconds after its work, on a core that ours needs.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.engine.control import (
    CLOCK,
    FORK,
    MISSED,
    NUMBER,
    REGION,
    SIZE,
    TEAM_BLOCKS,
    TEAM_COUNT,
    TEAM_KERNEL,
    TEAM_THREADS,
    USED,
)
from fastlstm.kernels.jit import inner
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.sync import call_kernel, words_at

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_BLOCK_BYTES, _THREADS = 8 * len(SLOTS), SLOTS["threads"]

AWAKE_NS = (
    1_000_000  # libgomp's workers spin for longer than that after a region, unless OMP_WAIT_POLICY says otherwise
)
FEW_CALLS = 8  # calls with little work in quick succession before the team is woken for them

if sys.platform.startswith("linux"):
    _clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.intp))
    _MONOTONIC = 1

    @inner
    def _now(control):
        """Nanoseconds of a clock that does not go back."""
        _clock_gettime(_MONOTONIC, control + CLOCK * 8)
        words = words_at(control)
        return words[CLOCK] * 1_000_000_000 + words[CLOCK + 1]

else:

    @inner
    def _now(control):
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
def _ask(typing_context: Any, address: Any):
    """What `int f(void)` at an address returns."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        function = builder.inttoptr(args[0], ir.FunctionType(_I32, []).as_pointer())
        return builder.sext(builder.call(function, []), _I64)

    return types.int64(types.int64), emit


@inner
def run_in_team(control, kernel, blocks, count, threads):
    """Run `kernel` on `count` job blocks with the team's threads, the caller's included."""
    words = words_at(control)
    words[TEAM_KERNEL], words[TEAM_BLOCKS], words[TEAM_COUNT], words[TEAM_THREADS] = kernel, blocks, count, threads
    _fork(words[FORK], words[REGION], control, threads)
    words[USED] = _now(control)


@inner
def take_part(control):
    """What each thread of a team does. Where they are fewer than asked for, as in a nested region, one does all."""
    words = words_at(control)
    kernel, blocks, number = words[TEAM_KERNEL], words[TEAM_BLOCKS], _ask(words[NUMBER])
    if _ask(words[SIZE]) == words[TEAM_THREADS]:
        call_kernel(kernel, words_at(blocks), number)
    elif number == 0:
        for i in range(words[TEAM_COUNT]):
            words_at(blocks + i * _BLOCK_BYTES)[_THREADS] = 1
        call_kernel(kernel, words_at(blocks), 0)


@inner
def threads_for_little(control, threads):
    """`threads` while the team is awake, else one: waking it takes 50 us and more. Woken when calls keep coming."""
    words, now = words_at(control), _now(control)
    if now - words[USED] < AWAKE_NS:
        words[MISSED] = 0
        return threads
    words[MISSED] += 1
    if words[MISSED] < FEW_CALLS:
        return 1
    words[MISSED] = 0
    return threads
