"""Products with weights of 16 bits, numbers in floating point: as `multiply`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import at, inner
from fastlstm.kernels.machine import host
from fastlstm.kernels.product import made, panel_width
from fastlstm.kernels.round import as_reals, scratch
from fastlstm.kernels.tile import halves_tile, tile
from fastlstm.kernels.tiling import DEPTH, C, R
from fastlstm.kernels.vector import Emitter

_few = inner(made(halves_tile, 2))
FEW = 3 * R
BLOCK_BYTES = DEPTH * C * host().vector_bytes


def multiply_halves(
    job, a, a_row, a_step, rows, K, w, w_panel, first, last, start, start_row, start_panel, out, out_row
):
    """Kernel: `multiply`, but two weights take the place of a number in w.

    A tile makes its weights wider as it reads them. Where many tiles would, a block of a panel is made wider once for
    all: for few, to write and read it takes as long.
    """
    if rows <= FEW:
        _few(job, a, a_row, a_step, rows, K, w, w_panel, first, last, start, start_row, start_panel, out, out_row)
        return
    W = panel_width(a)
    wide = as_reals(scratch(BLOCK_BYTES))
    tiles = (rows + R - 1) // R
    small = rows // tiles
    large = rows - small * tiles  # this many tiles have one row more
    for panel in range(first, last):
        here_out = at(out, panel * W)
        here_start, here_start_row = at(start, panel * start_panel), start_row
        done = 0
        while done == 0 or done < K:
            depth = min(DEPTH, K - done)
            widen(at(w, panel * w_panel + done * W // 2), wide, depth * W)
            row = 0
            for n in range(tiles):
                count = small + (1 if n < large else 0)
                tile(R, 1, count, 1, at(a, row * a_row + done * a_step), a_row, a_step, wide, 0, depth,
                     at(here_start, row * here_start_row), here_start_row, 0, at(here_out, row * out_row),
                     out_row)  # fmt: skip
                row += count
            # Later depth blocks add to what the first has written.
            here_start, here_start_row = here_out, out_row
            done += DEPTH


@intrinsic
def widen(typing_context: Any, source: types.CPointer, target: types.CPointer, count: types.Integer):
    """target[n] = the n-th number of 16 bits behind `source`, for n < count, a multiple of a register's lanes."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        source, target, count = args
        vectors = Emitter(builder, host(), "float32")
        zero, lanes = (ir.Constant(ir.IntType(64), number) for number in (0, vectors.lanes))
        halves = builder.bitcast(source, ir.IntType(16).as_pointer())
        with cgutils.for_range_slice(builder, zero, count, lanes, inc=True) as (place, _):
            vectors.store(vectors.load_halves(builder.gep(halves, [place]), 0), target, place)
        return context.get_dummy_value()

    return types.void(source, target, types.int64), emit
