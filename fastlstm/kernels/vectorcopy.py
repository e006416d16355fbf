"""Copying a few columns of many rows, a vector at a time."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter

_I64 = ir.IntType(64)


@intrinsic(prefer_literal=True)
def copy_tile(
    typing_context: Any,
    source: types.CPointer,
    source_row: Any,
    target: types.CPointer,
    target_row: Any,
    vectors: Any,
    elements: Any,
    rows: Any,
):
    """target[r, :width] = source[r, :width] for r < rows; rows lie source_row and target_row elements apart.

    The width is a literal number of vectors plus a literal number of elements. Whole vectors are moved: up to a vector
    less one is read and written behind each row, which the next row of target overwrites; both need that much room
    behind their last row.
    """
    if not isinstance(vectors, types.IntegerLiteral):
        return None
    whole, rest = vectors.literal_value, elements.literal_value

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        source, source_row, target, target_row, _, _, rows = args
        math = Emitter(builder, host(), str(signature.args[0].dtype))
        with cgutils.for_range(builder, rows) as loop:
            here = builder.gep(source, [builder.mul(loop.index, source_row)])
            there = builder.gep(target, [builder.mul(loop.index, target_row)])
            for column in range(0, whole * math.lanes + rest, math.lanes):
                math.store(math.load(here, column), there, column)
        return context.get_dummy_value()

    n = types.int64
    return types.void(source, n, target, n, vectors, elements, n), emit
