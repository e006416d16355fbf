"""The register tiles of kernels whose lanes are samples: products with a state, and sums over samples and time.

A group is as many samples as a register has lanes; its array has a vector for each number that a sample has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import at, inner, lanes_of, put
from fastlstm.kernels.machine import host
from fastlstm.kernels.tiling import SUM_COLUMNS, SUM_ROWS
from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)


@intrinsic(prefer_literal=True)
def product_tile(
    typing_context: Any,
    groups: types.IntegerLiteral,
    most_rows: types.IntegerLiteral,
    rows: Any,
    a: types.CPointer,
    a_row: Any,
    a_step: Any,
    w: types.CPointer,
    w_group: Any,
    K: Any,
    adds: Any,
    out: types.CPointer,
    out_group: Any,
):
    """out[g, r] = (out[g, r] where `adds`) + sum over k < K of a[r, k] * w[g, k] for r < rows, g < groups.

    `groups` and `most_rows` are literals, `rows` is 1 ... most_rows at run time, each with code of its own. a[r, k] is
    a number at a + r*a_row + k*a_step, w[g, k] a vector at w + g*w_group + k*lanes, out[g, r] one at out + g*out_group
    + r*lanes. `adds`: 0 or 1.
    """
    if not isinstance(most_rows, types.IntegerLiteral):
        return None
    most, G = most_rows.literal_value, groups.literal_value

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[3].dtype))
        end = builder.append_basic_block("tiled")
        choice = builder.switch(args[2], end)
        for R in range(1, most + 1):
            case = builder.append_basic_block(f"rows{R}")
            choice.add_case(ir.Constant(args[2].type, R), case)
            builder.position_at_end(case)
            _emit_product(vectors, R, G, *args[3:])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    n = types.int64
    return types.void(groups, most_rows, n, a, n, n, w, n, n, n, out, n), emit


def _emit_product(
    vectors: Emitter,
    R: int,
    G: int,
    a: ir.Value,
    a_row: ir.Value,
    a_step: ir.Value,
    w: ir.Value,
    w_group: ir.Value,
    K: ir.Value,
    adds: ir.Value,
    out: ir.Value,
    out_group: ir.Value,
) -> None:
    builder, lanes = vectors.builder, vectors.lanes
    outs = [_far(builder, out, g, out_group) for g in range(G)]
    sums = [_begun(vectors, adds, outs[g], r * lanes) for r in range(R) for g in range(G)]
    rows = [builder.mul(ir.Constant(_I64, r), a_row) for r in range(R)]

    def step(here_a: ir.Value, here_w: ir.Value, sums: Sequence[ir.Value]) -> list[ir.Value]:
        ws = [vectors.load(_far(builder, here_w, g, w_group)) for g in range(G)]
        xs = [vectors.splat(builder.load(builder.gep(here_a, [row]))) for row in rows]
        return [
            vectors.fma(x, w, Vector(vectors, sums[n])).value for n, (x, w) in enumerate((x, w) for x in xs for w in ws)
        ]

    ends = _loop(builder, K, [(a, a_step), (w, ir.Constant(_I64, lanes))], sums, step)
    for n, value in enumerate(ends):
        r, g = divmod(n, G)
        vectors.store(Vector(vectors, value), outs[g], r * lanes)


@intrinsic
def sums_tile(
    typing_context: Any,
    a: types.CPointer,
    a_step: Any,
    b: types.CPointer,
    b_step: Any,
    K: Any,
    adds: Any,
    sums: types.CPointer,
    sums_row: Any,
):
    """sums[r, n] = (sums[r, n] where `adds`) + sum over k < K of a[k, r] * b[k, n], lane by lane, for r < SUM_ROWS and
    n < SUM_COLUMNS.

    a[k, r] is a vector at a + k*a_step + r*lanes, b[k, n] one at b + k*b_step + n*lanes, sums[r, n] one at sums +
    r*sums_row + n*lanes.
    """

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        a, a_step, b, b_step, K, adds, sums, sums_row = args
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))
        lanes = vectors.lanes
        places = [
            builder.gep(_far(builder, sums, r, sums_row), [ir.Constant(_I64, n * lanes)])
            for r in range(SUM_ROWS)
            for n in range(SUM_COLUMNS)
        ]

        def step(here_a: ir.Value, here_b: ir.Value, values: Sequence[ir.Value]) -> list[ir.Value]:
            columns = [vectors.load(here_b, n * lanes) for n in range(SUM_COLUMNS)]
            rows = [vectors.load(here_a, r * lanes) for r in range(SUM_ROWS)]
            return [
                vectors.fma(row, column, Vector(vectors, values[r * SUM_COLUMNS + n])).value
                for r, row in enumerate(rows)
                for n, column in enumerate(columns)
            ]

        begin = [_begun(vectors, adds, place) for place in places]
        for place, value in zip(places, _loop(builder, K, [(a, a_step), (b, b_step)], begin, step), strict=True):
            vectors.store(Vector(vectors, value), place)
        return context.get_dummy_value()

    n = types.int64
    return types.void(a, n, a, n, n, n, a, n), emit


@inner
def totals(a, columns, step, count, target):
    """target[n] = the sum of all lanes of `count` vectors at a + n*lanes, `step` elements apart, for n < columns."""
    lanes, done = lanes_of(a), 0
    while done + lanes <= columns:
        _totals(at(a, done * lanes), step, count, at(target, done))
        done += lanes
    for n in range(done, columns):
        put(target, n, _total(at(a, n * lanes), step, count))


@intrinsic
def _totals(typing_context: Any, a: types.CPointer, step: Any, count: Any, target: types.CPointer):
    """As many columns as lanes: their vectors are turned and added."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))

        def add(here: ir.Value, values: Sequence[ir.Value]) -> list[ir.Value]:
            return [(vectors.load(here, n * vectors.lanes) + Vector(vectors, v)).value for n, v in enumerate(values)]

        zeros = [vectors.splat(0.0).value] * vectors.lanes
        sums = [Vector(vectors, value) for value in _loop(builder, args[2], [(args[0], args[1])], zeros, add)]
        parts = vectors.turned(sums)
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
        vectors.store(parts[0], args[3])
        return context.get_dummy_value()

    return types.void(a, types.int64, types.int64, target), emit


@intrinsic
def _total(typing_context: Any, a: types.CPointer, step: Any, count: Any):
    """One column."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))

        def add(here: ir.Value, values: Sequence[ir.Value]) -> list[ir.Value]:
            return [(vectors.load(here) + Vector(vectors, values[0])).value]

        (value,) = _loop(builder, args[2], [(args[0], args[1])], [vectors.splat(0.0).value], add)
        return vectors.total(Vector(vectors, value))

    return a.dtype(a, types.int64, types.int64), emit


def _begun(vectors: Emitter, adds: ir.Value, place: ir.Value, index: int = 0) -> ir.Value:
    """What a sum begins with: the vector there where `adds`, else zero."""
    builder = vectors.builder
    begins = builder.icmp_signed("==", adds, ir.Constant(_I64, 0))
    return builder.select(begins, vectors.splat(0.0).value, vectors.load(place, index).value)


def _far(builder: ir.IRBuilder, pointer: ir.Value, n: int, stride: ir.Value) -> ir.Value:
    """The pointer n strides further."""
    return builder.gep(pointer, [builder.mul(ir.Constant(_I64, n), stride)]) if n else pointer


def _loop(
    builder: ir.IRBuilder,
    count: ir.Value,
    moving: Sequence[tuple[ir.Value, ir.Value]],
    values: Sequence[ir.Value],
    step: Any,
) -> list[ir.Value]:
    """What `values` are after `count` times `step(*pointers, values)`; each pointer moves by its stride every time."""
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k, *phis = (builder.phi(kind) for kind in (_I64, *(p.type for p, _ in moving), *(value.type for value in values)))
    pointers, carried = phis[: len(moving)], phis[len(moving) :]
    for phi, value in zip((k, *phis), (ir.Constant(_I64, 0), *(p for p, _ in moving), *values), strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", k, count), body, done)
    builder.position_at_end(body)
    made = step(*pointers, carried)
    following = [builder.gep(pointer, [stride]) for pointer, (_, stride) in zip(pointers, moving, strict=True)]
    for phi, value in zip((k, *phis), (builder.add(k, ir.Constant(_I64, 1)), *following, *made), strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return list(carried)
