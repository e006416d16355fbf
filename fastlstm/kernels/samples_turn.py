"""Samples as rows into samples as lanes, and back: between callers' arrays and kernels whose lanes are samples."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import at, inner, lanes_of, put
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)


@inner
def to_lanes(source, source_row, samples, count, target, target_group, adds):
    """target[g, n] = (target[g, n] where `adds`) + source[b, n] in the lane of b, for `samples` rows, n < count.

    Rows are `source_row` apart; group g is vectors at target + g*target_group. Lanes behind the last sample get
    what it has, and nothing is added there.
    """
    lanes = lanes_of(target)
    for first in range(0, samples, lanes):
        rows, out = at(source, first * source_row), at(target, first // lanes * target_group)
        done = 0
        if first + lanes <= samples:
            while done + lanes <= count:
                _turn_rows(at(rows, done), source_row, at(out, done * lanes), adds)
                done += lanes
        for lane in range(min(lanes, samples - first) if adds else lanes):
            row, there = at(rows, min(lane, samples - first - 1) * source_row), at(out, lane)
            for n in range(done, count):
                put(there, n * lanes, row[n] + (there[n * lanes] if adds else 0.0))


@inner
def to_rows(source, source_group, samples, count, target, target_row):
    """target[b, n] = source[g, n] in b's lane of its group, for `samples` rows and n < count."""
    lanes = lanes_of(source)
    for first in range(0, samples, lanes):
        values, rows = at(source, first // lanes * source_group), at(target, first * target_row)
        done = 0
        if first + lanes <= samples:
            while done + lanes <= count:
                _turn_vectors(at(values, done * lanes), at(rows, done), target_row)
                done += lanes
        for lane in range(min(lanes, samples - first)):
            row, there = at(rows, lane * target_row), at(values, lane)
            for n in range(done, count):
                put(row, n, there[n * lanes])


@intrinsic
def _turn_rows(typing_context: Any, source: types.CPointer, source_row: Any, target: types.CPointer, adds: Any):
    """A square of numbers: vector n of the target has in lane r what is in place n of row r, added where `adds`."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        source, row, target, adds = args
        math = Emitter(builder, host(), str(signature.args[0].dtype))
        begins = builder.icmp_signed("==", adds, ir.Constant(_I64, 0))
        vectors = math.turned([math.load(source, _times(builder, r, row)) for r in range(math.lanes)])
        for n, vector in enumerate(vectors):
            before = builder.select(begins, math.splat(0.0).value, math.load(target, n * math.lanes).value)
            math.store(vector + Vector(math, before), target, n * math.lanes)
        return context.get_dummy_value()

    n = types.int64
    return types.void(source, n, target, n), emit


@intrinsic
def _turn_vectors(typing_context: Any, source: types.CPointer, target: types.CPointer, target_row: Any):
    """The other way round."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        source, target, row = args
        math = Emitter(builder, host(), str(signature.args[0].dtype))
        for r, vector in enumerate(math.turned([math.load(source, n * math.lanes) for n in range(math.lanes)])):
            math.store(vector, target, _times(builder, r, row))
        return context.get_dummy_value()

    return types.void(source, target, types.int64), emit


def _times(builder: ir.IRBuilder, n: int, stride: ir.Value) -> ir.Value:
    return builder.mul(ir.Constant(_I64, n), stride)


@intrinsic
def fetch(typing_context: Any, pointer: types.CPointer):
    """Bring the cache line at an address, which may be any, into the first-level cache."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        Emitter(builder, host(), str(signature.args[0].dtype)).prefetch(args[0], 0)
        return context.get_dummy_value()

    return types.void(pointer), emit


@inner
def fetch_rows(pointer, row, samples, count):
    """Bring the first `count` elements of rows into the cache. The hardware sees no order in rows of a step or two:
    there are as many between them as there are samples in all.
    """
    lanes = lanes_of(pointer)
    for b in range(samples):
        here = at(pointer, b * row)
        for n in range(0, count, lanes):
            fetch(at(here, n))
        fetch(at(here, count - 1))
