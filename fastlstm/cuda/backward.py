"""The kernel that carries gradients back through time: one layer, all its directions."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cells import CELLS
from fastlstm.cuda.block import ALIGNMENT, at, cut, product, time_of, wait
from fastlstm.cuda.equations import step_backward
from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.tile import Tile

cuda = cuda_module()


@cache
def backward(cell: str, dtype: str, tile: Tile, persistent: bool) -> Any:
    """The kernel, for `blocks * groups` blocks. Steps last-1 down to first, where step -1 writes the initial states'.

    z, u, hin, cin, starts, counts, reset, arrived: as `forward` left them; z and u become the gates' gradients.
    w (D, G*H, H): recurrent weights. grad_out (N, D*H), or empty; grad_hn, grad_cn (L*D, B, H): given; grad_h0, grad_c0
    (L*D, B, H): results, and until then what passes from step to step past the product.

    What a step needs of its own and not of other blocks is loaded before the product, so that the two wait together.
    """
    equations = CELLS[cell]
    load, multiply = product(tile, dtype)
    step = step_backward(cell, dtype)
    carries_cell, passes_state, splits_gates = (
        equations.CARRIES_CELL, equations.PASSES_STATE, equations.SPLITS_GATES,
    )  # fmt: skip
    number = getattr(types, dtype)
    zero, GATES = number(0), equations.GATES
    U, S, THREADS, PAIRS, RESIDENT = tile.units, tile.samples, tile.threads, tile.pairs, tile.resident
    ALL_GATES = GATES * PAIRS

    @cuda.jit
    def run(
        z, u, w, hin, cin, grad_out, grad_hn, grad_cn, grad_h0, grad_c0, starts, counts, reset, arrived,
        layer_row, B, H, D, apart, first, last, blocks, share,
    ):  # fmt: skip
        shared = cuda.shared.array(0, number) if SIMULATED else cuda.shared.array(0, number, ALIGNMENT)
        own_x, own_r = cuda.local.array(ALL_GATES, number), cuda.local.array(ALL_GATES, number)
        own_h, own_c = cuda.local.array(PAIRS, number), cuda.local.array(PAIRS, number)
        own_dh, own_dc = cuda.local.array(PAIRS, number), cuda.local.array(PAIRS, number)
        joins = cuda.local.array(PAIRS, types.boolean)  # whether the product's gradient is this pair's
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
        layer = layer_row + d
        du = u if splits_gates else z
        if RESIDENT:
            load(shared, 0, w, d, unit0, H, K)
        if persistent:
            if rank == 0 and thread == 0:
                arrived[group] = 0
            cuda.cg.this_grid().sync()
        start, alive, start_after, alive_after = 0, 0, 0, 0
        if last > 0:
            t = time_of(last - 1, T, backwards)
            start, alive = starts[at(t)], counts[at(t)]
        if last < T:
            t = time_of(last, T, backwards)
            start_after, alive_after = starts[at(t)], counts[at(t)]
        for s in range(last - 1, first - 1, -1):
            start_before, alive_before = 0, 0
            if s > 0:
                t = time_of(s - 1, T, backwards)
                start_before, alive_before = starts[at(t)], counts[at(t)]
            end = min(b_last, max(alive, alive_after))
            for b0 in range(b_first, end, S):
                arriving = min(S, min(b_last, alive_after) - b0)  # samples with gradients from the step after
                for p in range(PAIRS):
                    sample = (thread + p * THREADS) // U
                    unit, b = unit0 + thread + p * THREADS - sample * U, b0 + sample
                    if sample < S and b < end and unit < H:
                        dh, dc = zero, zero
                        joins[p] = sample < arriving and not cut(reset, counts, s + 1, b, T, backwards)
                        if sample >= arriving:
                            dh = grad_hn[at(layer), at(b), at(unit)]
                            if carries_cell:
                                dc = grad_cn[at(layer), at(b), at(unit)]
                        elif joins[p]:
                            if passes_state:
                                dh = grad_h0[at(layer), at(b), at(unit)]
                            if carries_cell:
                                dc = grad_c0[at(layer), at(b), at(unit)]
                        if b < alive:
                            row = start + b * apart
                            if grad_out.shape[0]:
                                dh += grad_out[at(row), at(d * H + unit)]
                            own_h[p] = hin[at(d), at(row), at(unit)]
                            if carries_cell:
                                own_c[p] = cin[at(d), at(row), at(unit)]
                            for g in range(GATES):
                                own_x[p * GATES + g] = z[at(d), at(row), at(g * H + unit)]
                                if splits_gates:
                                    own_r[p * GATES + g] = u[at(d), at(row), at(g * H + unit)]
                        own_dh[p], own_dc[p] = dh, dc
                sums = 0
                if arriving > 0:
                    sums = multiply(shared, 0, w, du, d, start_after + b0 * apart, apart, arriving, unit0, H, K)
                for p in range(PAIRS):
                    pair = thread + p * THREADS
                    sample = pair // U
                    unit, b = unit0 + pair - sample * U, b0 + sample
                    if sample < S and b < end and unit < H:
                        dh, dc = own_dh[p], own_dc[p]
                        if joins[p]:
                            dh += shared[at(sums + (pair - sample * U) * S + sample)]
                        if b < alive:
                            c = own_c[p] if carries_cell else zero
                            direct, dc = step(
                                own_x, own_r, p * GATES, z, u, d, start + b * apart, unit, H, own_h[p], c, dh, dc
                            )
                            if passes_state:
                                grad_h0[at(layer), at(b), at(unit)] = direct
                        else:
                            grad_h0[at(layer), at(b), at(unit)] = dh
                        if carries_cell:
                            grad_c0[at(layer), at(b), at(unit)] = dc
            start_after, alive_after = start, alive
            start, alive = start_before, alive_before
            if persistent and s > first:
                wait(arrived, group, (last - s) * blocks)

    return run
