"""What this machine can do: fused multiply-adds and reads per second, measured with the kernels' own vectors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.bench.result import Limits
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)


def _looped(
    builder: ir.IRBuilder,
    count: ir.Value,
    start: list[ir.Value],
    body: Callable[[ir.Value, list[ir.Value]], list[ir.Value]],
) -> list[ir.Value]:
    """`for i in range(count): values = body(i, values)` with the values in registers."""
    entry = builder.block
    head, inside, done = (builder.append_basic_block(name) for name in ("head", "inside", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(_I64)
    phis = [builder.phi(value.type) for value in start]
    builder.cbranch(builder.icmp_signed("<", index, count), inside, done)
    builder.position_at_end(inside)
    after = body(index, list(phis))
    index.add_incoming(ir.Constant(_I64, 0), entry)
    index.add_incoming(builder.add(index, ir.Constant(_I64, 1)), builder.block)
    for phi, first, later in zip(phis, start, after, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(later, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return list(phis)


def _data(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
    """Address of the first element of the array given first."""
    return context.make_array(signature.args[0])(context, builder, args[0]).data


def accumulators() -> int:
    """As many as the matrix tile has: enough to hide the latency of an addition, few enough for the registers."""
    return host().tile_rows * host().tile_vectors


@intrinsic
def _multiply_add(typing_context: Any, data: types.Array, count: types.Integer):
    """`count` rounds of one fused multiply-add per accumulator; factors and result at `data`."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), "float32")
        pointer = _data(context, builder, signature, args)
        scale, offset = vectors.load(pointer), vectors.load(pointer, vectors.lanes)
        start = [vectors.load(pointer, (2 + n) * vectors.lanes).value for n in range(accumulators())]
        sums = _looped(
            builder,
            args[1],
            start,
            lambda _, values: [vectors.fma(Vector(vectors, value), scale, offset).value for value in values],
        )
        for n, value in enumerate(sums):
            vectors.store(Vector(vectors, value), pointer, (2 + n) * vectors.lanes)
        return context.get_dummy_value()

    return types.void(data, types.int64), emit


READS = 8


@intrinsic
def _read(typing_context: Any, data: types.Array, count: types.Integer):
    """Read `count` groups of READS vectors from `data` on, and leave their sums in its first group."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), "float32")
        pointer = _data(context, builder, signature, args)
        step = ir.Constant(_I64, READS * vectors.lanes)

        def body(index: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
            place = builder.gep(pointer, [builder.mul(index, step)])
            return [
                (Vector(vectors, value) + vectors.load(place, n * vectors.lanes)).value
                for n, value in enumerate(values)
            ]

        sums = _looped(builder, args[1], [vectors.splat(0.0).value] * READS, body)
        for n, value in enumerate(sums):
            vectors.store(Vector(vectors, value), pointer, n * vectors.lanes)
        return context.get_dummy_value()

    return types.void(data, types.int64), emit


@cache
def _compiled() -> tuple[Callable[[np.ndarray, int], None], Callable[[np.ndarray, int, int], None]]:
    @numba.njit("(float32[::1], int64)", nogil=True)
    def multiply_add(data: np.ndarray, count: int) -> None:
        _multiply_add(data, count)

    @numba.njit("(float32[::1], int64, int64)", nogil=True)
    def read(data: np.ndarray, groups: int, times: int) -> None:
        for _ in range(times):
            _read(data, groups)

    return multiply_add, read


@dataclass(frozen=True)
class Caches:
    """Bytes of the data caches that one core sees."""

    l1: int
    l2: int
    l3: int


def caches() -> Caches:
    """As Linux tells it; elsewhere, sizes that most machines of the last years reach."""
    found: dict[int, int] = {}
    units = {"K": 1 << 10, "M": 1 << 20}
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        if (folder / "type").read_text().strip() != "Instruction":
            size = (folder / "size").read_text().strip()
            found[int((folder / "level").read_text())] = int(size[:-1]) * units[size[-1]]
    return Caches(found.get(1, 32 << 10), found.get(2, 256 << 10), found.get(3, 4 << 20))


def measure(threads: int, seconds: float) -> Limits:
    """Best of a few goes within about `seconds`, all threads together.

    `fma`: float32 operations per second, from registers. `l2`, `l3`: bytes per second read from a working set of half
    the second-level cache per thread, and from one four times that cache.
    """
    multiply_add, read = _compiled()
    size = caches()
    lanes = host().lanes(np.dtype(np.float32))
    registers = accumulators() + 2

    def fma(rounds: int) -> Callable[[], float]:
        data = np.full(registers * lanes, 0.5, np.float32)
        return lambda: multiply_add(data, rounds) or 2.0 * rounds * accumulators() * lanes

    def reading(working_set: int) -> Callable[[], float]:
        groups = working_set // (4 * READS * lanes)
        data = np.zeros(groups * READS * lanes, np.float32)
        times = max(1, (8 << 20) // working_set)
        return lambda: read(data, groups, times) or 4.0 * times * data.size

    share = seconds / 3
    return Limits(
        fma=_best([fma(200_000) for _ in range(threads)], share),
        l2=_best([reading(size.l2 // 2) for _ in range(threads)], share),
        l3=_best([reading(min(4 * size.l2, size.l3 // 2)) for _ in range(threads)], share),
        l1_bytes=size.l1,
        l2_bytes=size.l2,
    )


def _best(works: list[Callable[[], float]], seconds: float) -> float:
    """Highest rate reached by all threads together: each runs its own work again and again, started at once."""
    end = perf_counter() + seconds
    best = 0.0
    for work in works:
        work()  # touch the memory
    while True:
        best = max(best, _together(works))
        if perf_counter() >= end:
            return best


def _together(works: list[Callable[[], float]]) -> float:
    start = threading.Barrier(len(works))
    spans: list[tuple[float, float, float]] = []

    def run(work: Callable[[], float]) -> None:
        start.wait()
        begun = perf_counter()
        amount = sum(work() for _ in range(4))
        spans.append((begun, perf_counter(), amount))

    others = [threading.Thread(target=run, args=(work,)) for work in works[1:]]
    for thread in others:
        thread.start()
    run(works[0])
    for thread in others:
        thread.join()
    elapsed = max(end for _, end, _ in spans) - min(begun for begun, _, _ in spans)
    return sum(amount for *_, amount in spans) / elapsed
