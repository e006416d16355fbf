"""The register tile: R rows by C vectors of a matrix product, accumulated in registers over the whole depth K."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)

# The hardware's prefetcher stops at each page of 4 KB; a first tile that waits for its weights there costs up to a
# fifth of a product of 10 rows. From 256 B to 8 KB ahead were tried: 1 and 2 KB are best. With few rows there is a line
# to fetch in every other cycle, and the prefetches only take the loads' place; so they do where the weights are in the
# first-level cache already, a tenth of the time.
PREFETCH_BYTES, PREFETCHING_ROWS = 2048, 5


@intrinsic(prefer_literal=True)
def tile(
    typing_context: Any,
    most_rows: types.IntegerLiteral,
    panels: types.IntegerLiteral,
    rows: Any,
    at_hand: Any,
    a: types.CPointer,
    a_row: Any,
    a_step: Any,
    w: types.CPointer,
    w_panel: Any,
    K: Any,
    start: types.CPointer,
    start_row: Any,
    start_panel: Any,
    out: types.CPointer,
    out_row: Any,
):
    """out[r, p*W + w] = start[r, p, w] + sum over k < K of a[r, k] * weights[p, k, w] for r < rows, p < panels.

    `most_rows` and `panels` are literals; `rows` is 1 ... most_rows at run time, each with code of its own, and
    `at_hand` 0 or 1: whether the weights are in the first-level cache. a[r, k] stands at a + r*a_row + k*a_step; panel
    p of the weights, (K, W) contiguous, at w + p*w_panel; the start values of row r and panel p at start + r*start_row
    + p*start_panel; the result at out + r*out_row + p*W. `start` may be `out`.
    """
    return _tile(most_rows, panels, a, w, start, out, False)


@intrinsic(prefer_literal=True)
def halves_tile(
    typing_context: Any,
    most_rows: types.IntegerLiteral,
    panels: types.IntegerLiteral,
    rows: Any,
    at_hand: Any,
    a: types.CPointer,
    a_row: Any,
    a_step: Any,
    w: types.CPointer,
    w_panel: Any,
    K: Any,
    start: types.CPointer,
    start_row: Any,
    start_panel: Any,
    out: types.CPointer,
    out_row: Any,
):
    """The same with weights of 16 bits, two of which take the place of a number in w."""
    return _tile(most_rows, panels, a, w, start, out, True)


def _tile(most_rows: Any, panels: Any, a: Any, w: Any, start: Any, out: Any, halves: bool) -> Any:
    """Signature and code."""
    if not isinstance(most_rows, types.IntegerLiteral):
        return None
    most, P = most_rows.literal_value, panels.literal_value

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[4].dtype))
        end = builder.append_basic_block("tiled")
        fetching = P == 1 and most >= PREFETCHING_ROWS
        rows = args[2]
        if fetching:
            many = builder.icmp_signed(">=", rows, ir.Constant(_I64, PREFETCHING_ROWS))
            rows = builder.select(many, builder.add(rows, builder.mul(args[3], ir.Constant(_I64, most))), rows)
        choice = builder.switch(rows, end)
        cases = [(R, R, fetching and R >= PREFETCHING_ROWS) for R in range(1, most + 1)]
        cases += [(R + most, R, False) for R in range(PREFETCHING_ROWS, most + 1) if fetching]
        for number, R, fetches in cases:
            case = builder.append_basic_block(f"rows{number}")
            choice.add_case(ir.Constant(_I64, number), case)
            builder.position_at_end(case)
            _emit_tile(builder, vectors, R, P, halves, fetches, *args[4:])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    n = types.int64
    return types.void(most_rows, panels, n, n, a, n, n, w, n, n, start, n, n, out, n), emit


def _emit_tile(
    builder: ir.IRBuilder,
    vectors: Emitter,
    R: int,
    P: int,
    halves: bool,
    fetches: bool,
    a: ir.Value,
    a_row: ir.Value,
    a_step: ir.Value,
    w: ir.Value,
    w_panel: ir.Value,
    K: ir.Value,
    start: ir.Value,
    start_row: ir.Value,
    start_panel: ir.Value,
    out: ir.Value,
    out_row: ir.Value,
) -> None:
    """One loop over K with R*P*C accumulators, which LLVM keeps in registers."""
    C, lanes = vectors.machine.tile_vectors, vectors.lanes
    packed = 2 if halves else 1

    def times(n: int, stride: ir.Value) -> ir.Value:
        return builder.mul(ir.Constant(_I64, n), stride)

    def move(pointer: ir.Value, *offsets: ir.Value) -> ir.Value:
        for offset in offsets:
            pointer = builder.gep(pointer, [offset])
        return pointer

    def starts(n: int) -> ir.Value:
        r, column = divmod(n, P * C)
        here = move(start, times(r, start_row), times(column // C, start_panel))
        return vectors.load(here, column % C * lanes).value

    # Sums begin with what they are added to: cut in depth, where the next part begins with what the last has stored,
    # they are the same to the bit.
    sums = [starts(n) for n in range(R * P * C)]
    row_offsets = [times(r, a_row) for r in range(R)]
    panel_offsets = [times(p, w_panel) for p in range(P)]
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("depth", "multiply", "store"))
    builder.branch(head)

    builder.position_at_end(head)
    k, here_a, here_w = builder.phi(_I64), builder.phi(a.type), builder.phi(w.type)
    phis = [builder.phi(vectors.type) for _ in sums]
    loop = [k, here_a, here_w, *phis]
    for phi, value in zip(loop, [ir.Constant(_I64, 0), a, w, *sums], strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", k, K), body, done)

    builder.position_at_end(body)
    products: dict[int, ir.Value] = {}
    if fetches:
        vectors.prefetch(here_w, PREFETCH_BYTES // vectors.align)

    def weight(n: int) -> Vector:
        if halves:
            return vectors.load_halves(move(here_w, panel_offsets[n // C]), n % C * lanes)
        return vectors.load(move(here_w, panel_offsets[n // C]), n % C * lanes)

    def row(r: int) -> Vector:
        return vectors.splat(builder.load(move(here_a, row_offsets[r])))

    # Whichever are fewer stay in registers, the others pass through one: 3 rows by 4 vectors just fit 16 registers.
    if R < P * C:
        xs = [row(r) for r in range(R)]
        for n in range(P * C):
            w_n = weight(n)
            for r, x in enumerate(xs):
                products[r * P * C + n] = vectors.fma(x, w_n, Vector(vectors, phis[r * P * C + n])).value
    else:
        ws = [weight(n) for n in range(P * C)]
        for r in range(R):
            x = row(r)
            for n, w_n in enumerate(ws):
                products[r * P * C + n] = vectors.fma(x, w_n, Vector(vectors, phis[r * P * C + n])).value
    following = [
        builder.add(k, ir.Constant(_I64, 1)),
        move(here_a, a_step),
        move(here_w, ir.Constant(_I64, C * lanes // packed)),
    ]
    for phi, value in zip(loop, [*following, *(products[n] for n in range(len(phis)))], strict=True):
        phi.add_incoming(value, body)
    builder.branch(head)

    builder.position_at_end(done)
    for n, phi in enumerate(phis):
        r, column = divmod(n, P * C)
        vectors.store(Vector(vectors, phi), move(out, times(r, out_row)), column * lanes)
