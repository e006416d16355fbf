"""Rows of values rounded to integers, for products of integers (`fastlstm.spec.narrow`)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter, Vector

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_NEAREST = 12582912.0
"""1.5 * 2**23: a number added to it is rounded to an integer, which stands in the low bits of the sum."""


@intrinsic
def row_peak(typing_context: Any, row: types.CPointer, count: types.Integer):
    """The largest |row[k]| for k < count; NaN where one is NaN or infinite. Whole vectors are read."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        row, count = args
        vectors = Emitter(builder, host(), "float32")
        peak, doubt = (cgutils.alloca_once(builder, vectors.type) for _ in range(2))
        for total in (peak, doubt):
            builder.store(vectors.splat(0.0).value, total)

        def take(vector: Vector) -> None:
            size, most = vectors.abs(vector), Vector(vectors, builder.load(peak))
            builder.store(vectors.select(vectors.compare(">", size, most), size, most).value, peak)
            # Zero times NaN or infinity is NaN.
            builder.store((vector * 0.0 + Vector(vectors, builder.load(doubt))).value, doubt)

        _each_vector(builder, vectors, row, count, lambda place, vector: take(vector))
        total = ir.Constant(ir.FloatType(), 0.0)
        for lane in range(vectors.lanes):
            number = ir.Constant(_I32, lane)
            size = builder.extract_element(builder.load(peak), number)
            total = builder.select(builder.fcmp_ordered(">", size, total), size, total)
        for lane in range(vectors.lanes):
            total = builder.fadd(total, builder.extract_element(builder.load(doubt), ir.Constant(_I32, lane)))
        return total

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

    In bytes (1): one after another, 128 added. In words (0): of four columns those at odd places come first.
    """
    if not isinstance(in_bytes, types.IntegerLiteral):
        return None
    small = bool(in_bytes.literal_value)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, row, count, inverse, target = args
        vectors = Emitter(builder, host(), "float32")
        scale = vectors.splat(inverse)
        add = vectors.splat(_NEAREST + (128.0 if small else 0.0))
        narrow = ir.VectorType(_I8 if small else _I16, vectors.lanes)
        order = [base + n for base in range(0, vectors.lanes, 4) for n in (1, 3, 0, 2)]

        def put(place: ir.Value, vector: Vector) -> None:
            bits = builder.bitcast(vectors.fma(vector, scale, add).value, ir.VectorType(_I32, vectors.lanes))
            value = builder.trunc(bits, narrow)
            if not small and vectors.lanes < 4:
                _put_half_group(builder, value, target, place)
                return
            if not small:
                chosen = ir.Constant(ir.VectorType(_I32, vectors.lanes), order)
                value = builder.shuffle_vector(value, ir.Constant(narrow, ir.Undefined), chosen)
            there = builder.gep(target, [builder.mul(place, ir.Constant(_I64, 1 if small else 2))])
            builder.store(value, builder.bitcast(there, narrow.as_pointer())).align = 1

        _each_vector(builder, vectors, row, count, put)
        return context.get_dummy_value()

    return types.void(in_bytes, row, types.int64, types.float32, target), emit


def _put_half_group(builder: ir.IRBuilder, pair: ir.Value, target: ir.Value, place: ir.Value) -> None:
    """Two words of a group of four, where a register holds no more."""
    words = builder.bitcast(target, _I16.as_pointer())
    base = builder.and_(place, ir.Constant(_I64, -4))
    half = builder.lshr(builder.and_(place, ir.Constant(_I64, 2)), ir.Constant(_I64, 1))
    for lane, order in ((0, 2), (1, 0)):
        there = builder.add(builder.add(base, half), ir.Constant(_I64, order))
        value = builder.extract_element(pair, ir.Constant(_I32, lane))
        builder.store(value, builder.gep(words, [there]))


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
