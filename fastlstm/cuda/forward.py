"""The kernel that runs one layer, all its directions, forward over time."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cells import CELLS
from fastlstm.cuda.block import ALIGNMENT, at, cut, product, time_of, wait
from fastlstm.cuda.equations import step_forward
from fastlstm.cuda.shim import SIMULATED, cuda_module
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
def forward(cell: str, dtype: str, train: bool, tile: Tile, persistent: bool) -> Any:
    """The kernel, for `blocks * groups` blocks. Steps first ... last of:

    z, u (D, N, G*H): input products of all tokens; in training, replaced by what backward needs, and room for the
    recurrent products. w (D, H, G*H), b_x, b_u (D, G*H): recurrent weights, biases of the input's and the recurrent
    products. hin, cin (D, N or 2*B, H): the states that enter tokens, in training one row for each, else two rows of
    samples that take turns. out (N, D*H): h; hn, cn (L*D, B, H): final states, this layer's rows from `layer_row` on.
    starts, counts (T,): the row of step t's first sample, and how many samples have it; a step's rows lie `apart` from
    each other. reset (T, B), or empty. arrived (groups,): the barriers' counters.

    What a step needs of its own and not of other blocks is loaded before the product, so that the two wait together.
    """
    load, multiply = product(tile, dtype)
    step = step_forward(cell, dtype, train)
    carries_cell, splits_gates, GATES = CELLS[cell].CARRIES_CELL, CELLS[cell].SPLITS_GATES, CELLS[cell].GATES
    number = getattr(types, dtype)
    zero = number(0)
    U, S, THREADS, PAIRS, RESIDENT = tile.units, tile.samples, tile.threads, tile.pairs, tile.resident
    ALL_PAIRS, ALL_GATES = U * S, GATES * PAIRS

    @cuda.jit
    def run(
        z, u, w, b_x, b_u, hin, cin, out, hn, cn, starts, counts, reset, arrived,
        layer_row, B, H, D, apart, first, last, blocks, share,
    ):  # fmt: skip
        shared = cuda.shared.array(0, number) if SIMULATED else cuda.shared.array(0, number, ALIGNMENT)
        own_x, own_b = cuda.local.array(ALL_GATES, number), cuda.local.array(ALL_GATES, number)
        own_h, own_c = cuda.local.array(PAIRS, number), cuda.local.array(PAIRS, number)
        thread, block = cuda.threadIdx.x, cuda.blockIdx.x
        group = block // blocks
        rank = block - group * blocks
        d = group % D
        b_first = group // D * share
        b_last = min(b_first + share, B)
        unit0 = rank * U
        T = counts.shape[0]
        backwards = d == 1
        if RESIDENT:
            load(shared, 0, w, d, unit0, H, H)
        if persistent:  # makes the launch a cooperative one, in which all blocks run at once
            if rank == 0 and thread == 0:
                arrived[group] = 0
            cuda.cg.this_grid().sync()
        t = time_of(first, T, backwards)
        start, alive = starts[at(t)], counts[at(t)]
        for s in range(first, last):
            start_after, alive_after = start, 0
            if s + 1 < T:
                t = time_of(s + 1, T, backwards)
                start_after, alive_after = starts[at(t)], counts[at(t)]
            for b0 in range(b_first, min(b_last, alive), S):
                count = min(S, min(b_last, alive) - b0)
                row0 = start + b0 * apart
                state0, state_apart = row0, apart
                if not train:
                    state0, state_apart = (s & 1) * B + b0, 1
                for p in range(PAIRS):
                    sample = (thread + p * THREADS) // U
                    unit = unit0 + thread + p * THREADS - sample * U
                    if sample < count and unit < H:
                        row, state = row0 + sample * apart, state0 + sample * state_apart
                        for g in range(GATES):
                            own_x[p * GATES + g] = z[at(d), at(row), at(g * H + unit)] + b_x[at(d), at(g * H + unit)]
                            if splits_gates:
                                own_b[p * GATES + g] = b_u[at(d), at(g * H + unit)]
                        own_h[p] = hin[at(d), at(state), at(unit)]
                        if carries_cell:
                            own_c[p] = cin[at(d), at(state), at(unit)]
                sums = multiply(shared, 0, w, hin, d, state0, state_apart, count, unit0, H, H)
                for p in range(PAIRS):
                    pair = thread + p * THREADS
                    sample = pair // U
                    unit = unit0 + pair - sample * U
                    if sample < count and unit < H:
                        b, row = b0 + sample, row0 + sample * apart
                        c = own_c[p] if carries_cell else zero
                        h, c = step(
                            own_x, own_b, p * GATES, shared, sums + (pair - sample * U) * S + sample, ALL_PAIRS,
                            z, u, d, row, unit, H, own_h[p], c,
                        )  # fmt: skip
                        out[at(row), at(d * H + unit)] = h
                        if b < alive_after:
                            fresh = cut(reset, counts, s + 1, b, T, backwards)
                            enters = start_after + b * apart if train else ((s + 1) & 1) * B + b
                            hin[at(d), at(enters), at(unit)] = zero if fresh else h
                            if carries_cell:
                                cin[at(d), at(enters), at(unit)] = zero if fresh else c
                        else:
                            hn[at(layer_row + d), at(b), at(unit)] = h
                            if carries_cell:
                                cn[at(layer_row + d), at(b), at(unit)] = c
            start, alive = start_after, alive_after
            if persistent and s + 1 < last:
                wait(arrived, group, (s + 1 - first) * blocks)

    return run
