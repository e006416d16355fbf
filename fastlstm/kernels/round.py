"""Rows of values rounded to integers, for products of integers (`fastlstm.spec.narrow`)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.integers import Integers
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter, Vector
from fastlstm.spec.narrow import REST

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_NEAREST = 12582912.0
"""1.5 * 2**23: a number added to it is rounded to an integer, which stands in the low bits of the sum."""
_INFINITY = 0x7F800000
"""Its bits."""


@intrinsic
def row_peak(typing_context: Any, row: types.CPointer, count: types.Integer):
    """The largest |row[k]| for k < count; NaN where one is NaN or infinite. Whole vectors are read."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        row, count = args
        vectors = Emitter(builder, host(), "float32")
        kind = ir.VectorType(_I32, vectors.lanes)
        peak = cgutils.alloca_once(builder, kind)
        builder.store(ir.Constant(kind, [0] * vectors.lanes), peak)

        def larger(a: ir.Value, b: ir.Value) -> ir.Value:
            return builder.select(builder.icmp_signed(">", a, b), a, b)

        def take(vector: Vector) -> None:
            # As integers, numbers without their sign are in the same order, and infinity and NaN above all.
            bits = builder.bitcast(vectors.abs(vector).value, kind)
            builder.store(larger(bits, builder.load(peak)), peak)

        _each_vector(builder, vectors, row, count, lambda place, vector: take(vector))
        value, lanes = builder.load(peak), vectors.lanes
        while lanes > 1:
            lanes //= 2
            halves = [
                builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(_I32, lanes), list(range(n, n + lanes))))
                for n in (0, lanes)
            ]
            value = larger(*halves)
        most = builder.extract_element(value, ir.Constant(_I32, 0))
        fine = builder.icmp_signed("<", most, ir.Constant(_I32, _INFINITY))
        real = builder.bitcast(most, ir.FloatType())
        return builder.select(fine, real, ir.Constant(ir.FloatType(), float("nan")))

    return types.float32(row, types.int64), emit


@intrinsic(prefer_literal=True)
def round_row(
    typing_context: Any,
    in_bytes: types.IntegerLiteral,
    row: types.CPointer,
    count: types.Integer,
    inverse: Any,
    target: types.CPointer,
):
    """row[k] * inverse rounded, for k < count, to where `tile8` reads it, zeros up to whole vectors.

    In bytes (1), 128 added where the machine's products want them unsigned, or in words of 16 bits (0).
    """
    if not isinstance(in_bytes, types.IntegerLiteral):
        return None
    small = bool(in_bytes.literal_value)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, row, count, inverse, target = args
        vectors = Emitter(builder, host(), "float32")
        scale = vectors.splat(inverse)
        unsigned = small and not Integers(builder, host()).signed
        add = vectors.splat(_NEAREST + (128.0 if unsigned else 0.0))
        narrow = ir.VectorType(_I8 if small else _I16, vectors.lanes)

        def put(place: ir.Value, vector: Vector) -> None:
            bits = builder.bitcast(vectors.fma(vector, scale, add).value, ir.VectorType(_I32, vectors.lanes))
            value = builder.trunc(bits, narrow)
            there = builder.gep(target, [builder.mul(place, ir.Constant(_I64, 1 if small else 2))])
            builder.store(value, builder.bitcast(there, narrow.as_pointer())).align = 1

        _each_vector(builder, vectors, row, count, put)
        return context.get_dummy_value()

    return types.void(in_bytes, row, types.int64, types.float32, target), emit


@intrinsic
def round_rest(typing_context: Any, row: types.CPointer, count: types.Integer, inverse: Any, target: types.CPointer):
    """What `round_row` in bytes has left of row[k] * inverse, at most a half: REST times that, rounded."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        row, count, inverse, target = args
        vectors = Emitter(builder, host(), "float32")
        scale, nearest, rest = vectors.splat(inverse), vectors.splat(_NEAREST), vectors.splat(float(REST))
        add = vectors.splat(_NEAREST + (0.0 if Integers(builder, host()).signed else 128.0))
        narrow = ir.VectorType(_I8, vectors.lanes)

        def put(place: ir.Value, vector: Vector) -> None:
            whole = vectors.fma(vector, scale, nearest) - nearest
            left = vectors.fma(vector, scale, -whole)
            bits = builder.bitcast(vectors.fma(left, rest, add).value, ir.VectorType(_I32, vectors.lanes))
            builder.store(
                builder.trunc(bits, narrow), builder.bitcast(builder.gep(target, [place]), narrow.as_pointer())
            ).align = 1

        _each_vector(builder, vectors, row, count, put)
        return context.get_dummy_value()

    return types.void(row, types.int64, types.float32, target), emit


def _each_vector(builder: ir.IRBuilder, vectors: Emitter, row: ir.Value, count: ir.Value, do: Any) -> None:
    """do(place, vector) for all of row[:count], the last vector with zeros from `count` on."""
    step = ir.Constant(_I64, vectors.lanes)
    whole = builder.and_(count, ir.Constant(_I64, -vectors.lanes))
    with cgutils.for_range_slice(builder, ir.Constant(_I64, 0), whole, step, inc=True) as (place, _):
        do(place, vectors.load(row, place))
    with builder.if_then(builder.icmp_signed("<", whole, count)):
        do(whole, vectors.first_lanes(vectors.load(row, whole), builder.sub(count, whole)))


@intrinsic(prefer_literal=True)
def scratch(typing_context: Any, size: types.IntegerLiteral):
    """So many bytes on the stack, for as long as the function runs."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    count = size.literal_value

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        with builder.goto_entry_block():  # cgutils.alloca_once would store zeros, one by one
            room = builder.alloca(_I8, ir.Constant(_I64, count))
        room.align = 64
        return room

    return types.CPointer(types.uint8)(size), emit


@intrinsic
def as_bytes(typing_context: Any, pointer: types.CPointer):
    """The same address, as a pointer to bytes."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.bitcast(args[0], _I8.as_pointer())

    return types.CPointer(types.uint8)(pointer), emit


@intrinsic
def as_reals(typing_context: Any, pointer: types.CPointer):
    """The same address, as a pointer to float32."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.bitcast(args[0], ir.FloatType().as_pointer())

    return types.CPointer(types.float32)(pointer), emit
