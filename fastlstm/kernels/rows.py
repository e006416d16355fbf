"""Rows of numbers: the copies between the caller's widths and the kernels' padded ones.

Copies are calls of memcpy and memset: loops would be unrolled and vectorised wherever they stand, a second of compile
time in all.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import at, inner, put


def _bytes(context: Any, builder: ir.IRBuilder, pointer: types.CPointer, count: ir.Value) -> ir.Value:
    """Of `count` elements; of none where it is negative, as for units behind the last."""
    none = ir.Constant(count.type, 0)
    size = ir.Constant(count.type, context.get_abi_sizeof(context.get_value_type(pointer.dtype)))
    return builder.select(builder.icmp_signed(">", count, none), builder.mul(count, size), none)


@intrinsic
def copy(typing_context: Any, source: types.CPointer, target: types.CPointer, count: types.Integer):
    """target[:count] = source[:count]; no overlap, nothing where count is negative."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        source, target, count = args
        cgutils.raw_memcpy(builder, target, source, _bytes(context, builder, signature.args[0], count), 1)
        return context.get_dummy_value()

    return types.void(source, target, types.int64), emit


@intrinsic
def clear(typing_context: Any, target: types.CPointer, count: types.Integer):
    """target[:count] = 0; nothing where count is negative."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        target, count = args
        cgutils.memset(builder, target, _bytes(context, builder, signature.args[0], count), 0)
        return context.get_dummy_value()

    return types.void(target, types.int64), emit


@inner
def add(source, target, count):
    """target[:count] += source[:count]."""
    for i in range(count):
        put(target, i, target[i] + source[i])


@inner
def gather(source, step, target, count):
    """target[i] = source[i * step] for i < count."""
    for i in range(count):
        put(target, i, source[i * step])


@inner
def multiply(source, target, count):
    """target[:count] *= source[:count]."""
    for i in range(count):
        put(target, i, target[i] * source[i])


@inner
def copy_padded(source, target, count, width):
    """target[:count] = source[:count] and zeros up to `width`."""
    copy(source, target, count)
    clear(at(target, count), width - count)
