"""Matrix products with packed weights: loops of register tiles, blocked in depth for the first-level cache.

`multiply` is compiled once for each dtype, and called through its address in the job block: compiled into every kernel
that uses it, it would be optimised again in each, 10 s in all.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import Job, at, inner, lanes_of
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.machine import host
from fastlstm.kernels.tile import tile
from fastlstm.kernels.tiling import DEPTH, C, R, side_by_side


@inner
def panel_width(pointer):
    """W, the columns of one weight panel."""
    return C * lanes_of(pointer)


def made(tile: Any, packed: int) -> Any:
    """The product with a tile whose weights are `packed` to the number."""
    panels_1, few, panels_few = side_by_side(host(), packed > 1)

    def multiply(job, a, a_row, a_step, rows, K, w, w_panel, first, last, start, start_row, start_panel, out, out_row):
        """Kernel: out[r, n] = start[r, n] + sum over k < K of a[r, k] * w[n, k] for r < rows and the columns of panels
        first..last-1.

        a[r, k] stands at a + r*a_row + k*a_step, w[n, k] at w + (n // W)*w_panel + k*W + n % W, and start[r, n] at
        start + r*start_row + (n // W)*start_panel + n % W. `out` has rows `out_row` apart and must not overlap a or w;
        `start` may be `out`. All strides in elements. `job` is not read.
        """
        W = panel_width(a)
        tiles = max((rows + R - 1) // R, 1)
        small = rows // tiles
        large = rows - small * tiles  # this many tiles have one row more
        depth = DEPTH if tiles > 1 else max(K, 1)
        panel = first
        if rows == 1:
            while panel + panels_1 <= last:
                tile(
                    1,
                    panels_1,
                    rows,
                    0,
                    a,
                    a_row,
                    a_step,
                    at(w, panel * w_panel),
                    w_panel,
                    K,
                    at(start, panel * start_panel),
                    start_row,
                    start_panel,
                    at(out, panel * W),
                    out_row,
                )
                panel += panels_1
        elif rows <= few:
            while panel + panels_few <= last:
                tile(
                    few,
                    panels_few,
                    rows,
                    0,
                    a,
                    a_row,
                    a_step,
                    at(w, panel * w_panel),
                    w_panel,
                    K,
                    at(start, panel * start_panel),
                    start_row,
                    start_panel,
                    at(out, panel * W),
                    out_row,
                )
                panel += panels_few
        while panel < last:
            here_w, here_out = at(w, panel * w_panel), at(out, panel * W)
            here_start, here_start_row = at(start, panel * start_panel), start_row
            done = 0
            while done == 0 or done < K:
                row = 0
                for n in range(tiles):
                    count = small + (1 if n < large else 0)
                    tile(
                        R,
                        1,
                        count,
                        min(n, 1),
                        at(a, row * a_row + done * a_step),
                        a_row,
                        a_step,
                        at(here_w, done * W // packed),
                        0,
                        min(depth, K - done),
                        at(here_start, row * here_start_row),
                        here_start_row,
                        0,
                        at(here_out, row * out_row),
                        out_row,
                    )
                    row += count
                # Later depth blocks add to what the first has written.
                here_start, here_start_row = here_out, out_row
                done += depth
            panel += 1

    return multiply


multiply = made(tile, 1)


@intrinsic
def product(
    typing_context: Any,
    job: Job,
    a: types.CPointer,
    a_row: Any,
    a_step: Any,
    rows: Any,
    K: Any,
    w: types.CPointer,
    w_panel: Any,
    first: Any,
    last: Any,
    start: types.CPointer,
    start_row: Any,
    start_panel: Any,
    out: types.CPointer,
    out_row: Any,
):
    """Call `multiply` at the address that the job block holds."""
    return _called("multiply", job, a)


@intrinsic
def product_of_state(
    typing_context: Any,
    job: Job,
    a: types.CPointer,
    a_row: Any,
    a_step: Any,
    rows: Any,
    K: Any,
    w: types.CPointer,
    w_panel: Any,
    first: Any,
    last: Any,
    start: types.CPointer,
    start_row: Any,
    start_panel: Any,
    out: types.CPointer,
    out_row: Any,
):
    """The same for W_hh, whose product may be another (`multiply_state`)."""
    return _called("multiply_state", job, a)


def _called(slot: str, job: Job, a: types.CPointer) -> tuple[Any, Any]:
    """Signature and code of a call of the product whose address stands in a slot."""
    n = types.int64

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [arg.type for arg in args])
        place = builder.gep(args[0], [ir.Constant(ir.IntType(64), SLOTS[slot])])
        builder.call(builder.inttoptr(builder.load(place), kind.as_pointer()), args)
        return context.get_dummy_value()

    return types.void(job, a, n, n, n, n, a, n, n, n, a, n, n, a, n), emit


def multiply_signature(job: Job) -> tuple[types.Type, ...]:
    """The argument types of `multiply`."""
    n, real = types.int64, types.CPointer(job.dtype)
    return (job, real, n, n, n, n, real, n, n, n, real, n, n, real, n)
