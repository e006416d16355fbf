"""Rows of samples turned into rows of units whose lanes are samples, and back."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import inner, lanes_of, put
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter

_I64 = ir.IntType(64)


@inner
def turn(source, distance, samples, target, first, last):
    """target[k, b] = source[b, k] for k = first ... last - 1; target's rows are vectors, source's lie `distance` apart.

    Lanes from `samples` (1 ... lanes) on get the last sample's numbers.
    """
    lanes = lanes_of(target)
    whole = first + (last - first) // lanes * lanes
    for k in range(first, whole, lanes):
        turn_square(source, distance, samples, target, k)
    for b in range(lanes):
        row = min(b, samples - 1) * distance
        for k in range(whole, last):
            put(target, k * lanes + b, source[row + k])


@inner
def turn_back(source, step, samples, target, distance, first, last):
    """target[b, k] = source[k, b] for b < samples and k = first ... last - 1; vectors of source lie `step` apart."""
    lanes = lanes_of(target)
    whole = first + (last - first) // lanes * lanes
    for k in range(first, whole, lanes):
        turn_square_back(source, step, samples, target, distance, k)
    for b in range(samples):
        for k in range(whole, last):
            put(target, b * distance + k, source[k * step + b])


@intrinsic
def turn_square(typing_context: Any, source: types.CPointer, distance: Any, samples: Any, target: Any, k: Any):
    """`turn` of `lanes` columns from k on."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))
        source, distance, samples, target, k = args
        last = builder.sub(samples, ir.Constant(_I64, 1))
        rows = []
        for b in range(vectors.lanes):
            row = ir.Constant(_I64, b)
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            rows.append(vectors.load(source, builder.add(builder.mul(row, distance), k)))
        start = builder.gep(target, [builder.mul(k, ir.Constant(_I64, vectors.lanes))])
        for column, vector in enumerate(vectors.turned(rows)):
            vectors.store(vector, start, column * vectors.lanes)
        return context.get_dummy_value()

    n = types.int64
    return types.void(source, n, n, source, n), emit


@intrinsic
def turn_square_back(
    typing_context: Any, source: types.CPointer, step: Any, samples: Any, target: Any, distance: Any, k: Any
):
    """`turn_back` of `lanes` columns from k on."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))
        source, step, samples, target, distance, k = args
        columns = [builder.mul(builder.add(k, ir.Constant(_I64, n)), step) for n in range(vectors.lanes)]
        rows = vectors.turned([vectors.load(source, column) for column in columns])
        for b, row in enumerate(rows):
            number = ir.Constant(_I64, b)
            with cgutils.if_likely(builder, builder.icmp_signed("<", number, samples)):
                vectors.store(row, target, builder.add(builder.mul(number, distance), k))
        return context.get_dummy_value()

    n = types.int64
    return types.void(source, n, n, source, n, n), emit
