"""The register tile of integers: R rows of rounded values by C vectors of weights, summed up in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.integers import Integers
from fastlstm.kernels.machine import host
from fastlstm.kernels.tile import PREFETCH_BYTES, PREFETCHING_ROWS
from fastlstm.kernels.vector import Emitter, Vector

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


@intrinsic(prefer_literal=True)
def tile8(
    typing_context: Any,
    in_bytes: types.IntegerLiteral,
    most_rows: types.IntegerLiteral,
    panels: types.IntegerLiteral,
    rows: Any,
    values: types.CPointer,
    row_scales: types.CPointer,
    weights: types.CPointer,
    scales: types.CPointer,
    w_panel: Any,
    groups: Any,
    start: types.CPointer,
    start_row: Any,
    start_panel: Any,
    out: types.CPointer,
    out_row: Any,
    values_row: Any,
):
    """out[r, p, w] = start[r, p, w] + row_scales[r] * scales[p, w] * sum over k of values[r, k] * weights[p, k, w].

    For r < rows, p < panels, and all k of `groups`, each of four columns in bytes or two in words. in_bytes, most_rows,
    panels are literals; `rows` is 1 ... most_rows. values: rows as `round_row` writes them, `values_row` bytes apart.
    weights: of panel p, w_panel bytes further, W 32-bit numbers with which the sums of bytes begin, then
    (groups, W, columns of a group). scales: w_panel bytes apart as well. start, out: as in `tile`.
    """
    if not isinstance(most_rows, types.IntegerLiteral):
        return None
    small, most, P = bool(in_bytes.literal_value), most_rows.literal_value, panels.literal_value

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        end = builder.append_basic_block("tiled")
        choice = builder.switch(args[3], end)
        for R in range(1, most + 1):
            case = builder.append_basic_block(f"rows{R}")
            choice.add_case(ir.Constant(args[3].type, R), case)
            builder.position_at_end(case)
            emit_tile8(builder, Integers(builder, host()), small, R, P, *args[4:])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    n, real, byte = types.int64, types.CPointer(types.float32), types.CPointer(types.uint8)
    return types.void(
        in_bytes, most_rows, panels, n, byte, real, byte, byte, n, n, real, n, n, real, n, n
    ), emit  # fmt: skip


def emit_tile8(
    builder: ir.IRBuilder, integers: Integers, small: bool, R: int, P: int, values: ir.Value, row_scales: ir.Value,
    weights: ir.Value, scales: ir.Value, w_panel: ir.Value, groups: ir.Value, start: ir.Value, start_row: ir.Value,
    start_panel: ir.Value, out: ir.Value, out_row: ir.Value, values_row: ir.Value,
) -> None:  # fmt: skip
    """One loop over the groups of columns with R*P*C sums, which LLVM keeps in registers."""
    C, width = integers.machine.tile_vectors, integers.width
    kind = integers.bytes if small else integers.words

    def times(n: int, stride: ir.Value) -> ir.Value:
        return builder.mul(ir.Constant(_I64, n), stride)

    panel = [integers.behind(weights, times(p, w_panel)) for p in range(P)]
    firsts = [integers.zero()] * (P * C)
    if small and not integers.signed:
        firsts = [integers.load(panel[n // C], n % C * width, integers.sums) for n in range(P * C)]
    rows = [integers.behind(values, times(r, values_row)) for r in range(R)]
    group = C * width
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("groups", "multiply", "store"))
    builder.branch(head)

    builder.position_at_end(head)
    k = builder.phi(_I64)
    sums = [builder.phi(integers.sums) for _ in range(R * P * C)]
    for phi, value in zip([k, *sums], [ir.Constant(_I64, 0), *firsts * R], strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", k, groups), body, done)

    builder.position_at_end(body)
    value_place = builder.mul(k, ir.Constant(_I64, 4))
    weight_place = builder.mul(builder.add(k, ir.Constant(_I64, 1)), ir.Constant(_I64, group))
    here = [integers.behind(pointer, weight_place) for pointer in panel]
    vectors = Emitter(builder, integers.machine, "float32")
    if P == 1 and R >= PREFETCHING_ROWS:
        vectors.prefetch(here[0], PREFETCH_BYTES)
    loaded = [integers.load(here[n // C], n % C * width, kind) for n in range(P * C)]
    add = integers.add_bytes if small else integers.add_words
    following: list[ir.Value] = []
    for r in range(R):
        x = integers.splat(integers.behind(rows[r], value_place), 0, kind)
        following += [add(sums[r * P * C + n], x, loaded[n]) for n in range(P * C)]
    for phi, value in zip([k, *sums], [builder.add(k, ir.Constant(_I64, 1)), *following], strict=True):
        phi.add_incoming(value, body)
    builder.branch(head)

    builder.position_at_end(done)
    for n, total in enumerate(sums):
        r, column = divmod(n, P * C)
        p, c = divmod(column, C)
        at_row = builder.gep(start, [builder.add(times(r, start_row), times(p, start_panel))])
        scale = integers.load(integers.behind(scales, times(p, w_panel)), c * width, vectors.type)
        factor = vectors.splat(builder.load(builder.gep(row_scales, [ir.Constant(_I64, r)]))) * Vector(vectors, scale)
        real = Vector(vectors, builder.sitofp(total, vectors.type))
        result = vectors.fma(real, factor, vectors.load(at_row, c * vectors.lanes))
        vectors.store(result, builder.gep(out, [times(r, out_row)]), column * vectors.lanes)
