"""The kernel that runs one layer, all its directions, forward over time."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cells import CELLS
from fastlstm.cuda.block import cut, product, time_of, wait
from fastlstm.cuda.equations import step_forward
from fastlstm.cuda.shim import cuda_module
from fastlstm.cuda.tile import Tile

cuda = cuda_module()


@cache
def enter(dtype: str, train: bool, carries_cell: bool) -> Any:
    """The kernel that puts the initial states (zeros unless `has_state`) where each sample's first step reads them.

    Threads share the (d, b). A reverse direction begins with a sample's own last step. Arguments as in `forward`.
    """
    zero = getattr(types, dtype)(0)

    @cuda.jit
    def run(hin, cin, h0, c0, has_state, starts, counts, reset, layer_row, B, D, apart):
        for i in range(cuda.grid(1), D * B, cuda.gridsize(1)):
            d = i // B
            b = i - d * B
            T = counts.shape[0]
            s = 0
            while b >= counts[time_of(s, T, d == 1)]:
                s += 1
            row = starts[time_of(s, T, d == 1)] + b * apart if train else (s & 1) * B + b
            fresh = not has_state or (d == 0 and cut(reset, counts, s, b, T, False))
            for k in range(hin.shape[2]):
                hin[d, row, k] = zero if fresh else h0[layer_row + d, b, k]
            if carries_cell:
                for k in range(cin.shape[2]):
                    cin[d, row, k] = zero if fresh else c0[layer_row + d, b, k]

    return run


@cache
def forward(cell: str, dtype: str, train: bool, tile: Tile, resident: bool, persistent: bool) -> Any:
    """The kernel, for `blocks * groups` blocks. Steps first ... last of:

    z, u (D, N, G*H): input products of all tokens; in training, replaced by what backward needs, and room for the
    recurrent products. w (D, G*H, H) and b_x, b_u (D, G*H): recurrent weights, biases of the input's and the recurrent
    products. hin, cin (D, N or 2*B, H): the states that enter tokens, in training one row for each, else two rows of
    samples that take turns. out (N, D*H): h; hn, cn (L*D, B, H): final states, this layer's rows from `layer_row` on.
    starts, counts (T,): the row of step t's first sample, and how many samples have it; a step's rows lie `apart` from
    each other. reset (T, B), or empty. arrived (groups,): the barriers' counters.
    """
    load, multiply = product(tile, dtype, transposed=False, resident=resident)
    step = step_forward(cell, dtype, train)
    carries_cell, zero = CELLS[cell].CARRIES_CELL, getattr(types, dtype)(0)
    number = getattr(types, dtype)
    U, S, PAIRS, THREADS = tile.units, tile.samples, tile.units * tile.samples, tile.threads
    APART = tile.units * tile.samples

    @cuda.jit
    def run(
        z, u, w, b_x, b_u, hin, cin, out, hn, cn, starts, counts, reset, arrived,
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
        backwards = d == 1
        if resident:
            load(shared, w, d, unit0, H, 0, H)
        if persistent:  # makes the launch a cooperative one, in which all blocks run at once
            if rank == 0 and thread == 0:
                arrived[group] = 0
            cuda.cg.this_grid().sync()
        for s in range(first, last):
            t = time_of(s, T, backwards)
            alive = counts[t]
            following = 0
            if s + 1 < T:
                following = counts[time_of(s + 1, T, backwards)]
            for b0 in range(b_first, min(b_last, alive), S):
                count = min(S, min(b_last, alive) - b0)
                row0 = starts[t] + b0 * apart
                state0, state_apart = row0, apart
                if not train:
                    state0, state_apart = (s & 1) * B + b0, 1
                sums = multiply(shared, w, hin, d, state0, state_apart, count, unit0, H, H, depth)
                for pair in range(thread, PAIRS, THREADS):
                    sample = pair // U
                    unit = unit0 + pair - sample * U
                    if sample < count and unit < H:
                        b = b0 + sample
                        row, state = row0 + sample * apart, state0 + sample * state_apart
                        c = zero
                        if carries_cell:
                            c = cin[d, state, unit]
                        at = sums + (pair - sample * U) * S + sample
                        h, c = step(z, u, b_x, b_u, d, row, unit, H, shared, at, APART, hin[d, state, unit], c)
                        out[row, d * H + unit] = h
                        if b < following:
                            fresh = cut(reset, counts, s + 1, b, T, backwards)
                            enters = ((s + 1) & 1) * B + b
                            if train:
                                enters = starts[time_of(s + 1, T, backwards)] + b * apart
                            hin[d, enters, unit] = zero if fresh else h
                            if carries_cell:
                                cin[d, enters, unit] = zero if fresh else c
                        else:
                            hn[layer_row + d, b, unit] = h
                            if carries_cell:
                                cn[layer_row + d, b, unit] = c
            if persistent and s + 1 < last:
                wait(arrived, group, (s + 1 - first) * blocks)

    return run
