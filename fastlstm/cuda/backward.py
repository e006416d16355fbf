"""The kernel that carries gradients back through time: one layer, all its directions."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cells import CELLS
from fastlstm.cuda.block import cut, product, time_of, wait
from fastlstm.cuda.equations import step_backward
from fastlstm.cuda.shim import cuda_module
from fastlstm.cuda.tile import Tile

cuda = cuda_module()


@cache
def backward(cell: str, dtype: str, tile: Tile, resident: bool, persistent: bool) -> Any:
    """The kernel, for `blocks * groups` blocks. Steps last-1 down to first, where step -1 writes the initial states'.

    z, u, w, hin, cin, starts, counts, reset, arrived: as `forward` left them; z and u become the gates' gradients.
    grad_out (N, D*H), or empty; grad_hn, grad_cn (L*D, B, H): given; grad_h0, grad_c0 (L*D, B, H): results, and until
    then what passes from step to step past the product.
    """
    equations = CELLS[cell]
    load, multiply = product(tile, dtype, transposed=True, resident=resident)
    step = step_backward(cell, dtype)
    carries_cell, passes_state, splits_gates = (
        equations.CARRIES_CELL, equations.PASSES_STATE, equations.SPLITS_GATES,
    )  # fmt: skip
    number = getattr(types, dtype)
    zero, GATES = number(0), equations.GATES
    U, S, PAIRS, THREADS = tile.units, tile.samples, tile.units * tile.samples, tile.threads

    @cuda.jit
    def run(
        z, u, w, hin, cin, grad_out, grad_hn, grad_cn, grad_h0, grad_c0, starts, counts, reset, arrived,
        layer_row, B, H, D, apart, first, last, blocks, share, depth,
    ):  # fmt: skip
        shared = cuda.shared.array(0, number)
        thread, block = cuda.threadIdx.x, cuda.blockIdx.x
        group = block // blocks
        rank = block - group * blocks
        d = group % D
        b_first = group // D * share
        b_last = min(b_first + share, B)
        unit0 = rank * U
        T = counts.shape[0]
        K = GATES * H
        backwards = d == 1
        du = u if splits_gates else z
        if resident:
            load(shared, w, d, unit0, H, 0, K)
        if persistent:
            if rank == 0 and thread == 0:
                arrived[group] = 0
            cuda.cg.this_grid().sync()
        for s in range(last - 1, first - 1, -1):
            alive, alive_after, row_now, row_after = 0, 0, 0, 0
            if s >= 0:
                t = time_of(s, T, backwards)
                alive, row_now = counts[t], starts[t]
            if s + 1 < T:
                t = time_of(s + 1, T, backwards)
                alive_after, row_after = counts[t], starts[t]
            end = min(b_last, max(alive, alive_after))
            for b0 in range(b_first, end, S):
                sums = 0
                arriving = min(S, min(b_last, alive_after) - b0)  # samples with gradients from the step after
                if arriving > 0:
                    sums = multiply(shared, w, du, d, row_after + b0 * apart, apart, arriving, unit0, H, K, depth)
                for pair in range(thread, PAIRS, THREADS):
                    sample = pair // U
                    unit = unit0 + pair - sample * U
                    b = b0 + sample
                    if b < end and unit < H:
                        at, dh, dc = layer_row + d, zero, zero
                        if sample >= arriving:
                            dh = grad_hn[at, b, unit]
                            if carries_cell:
                                dc = grad_cn[at, b, unit]
                        elif not cut(reset, counts, s + 1, b, T, backwards):
                            dh = shared[sums + (unit - unit0) * S + sample]
                            if passes_state:
                                dh += grad_h0[at, b, unit]
                            if carries_cell:
                                dc = grad_c0[at, b, unit]
                        if b < alive:
                            row = row_now + b * apart
                            if grad_out.shape[0]:
                                dh += grad_out[row, d * H + unit]
                            c = zero
                            if carries_cell:
                                c = cin[d, row, unit]
                            direct, dc = step(z, u, d, row, unit, H, hin[d, row, unit], c, dh, dc)
                            if passes_state:
                                grad_h0[at, b, unit] = direct
                        else:
                            grad_h0[at, b, unit] = dh
                        if carries_cell:
                            grad_c0[at, b, unit] = dc
            if persistent and s > first:
                wait(arrived, group, (last - s) * blocks)

    return run
