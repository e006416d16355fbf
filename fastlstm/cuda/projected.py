"""The kernels that run one layer with a projection, an LSTM, all its directions: forward over time, and back.

A step takes two turns, with a barrier between blocks behind each: the cells' m = o * tanh(c), then h = W_hr m; going
back h's gradient, then the cells'.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from fastlstm.cells import CELLS
from fastlstm.cuda.block import ALIGNMENT, at, cut, product, time_of, wait
from fastlstm.cuda.equations import step_backward, step_forward
from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.tile import Tile

cuda = cuda_module()

GATES = CELLS["LSTM"].GATES


@cuda.jit(device=True)
def part(blocks, share, B, D):
    """What of the work is this block's: its group, its rank in there, its direction, and its samples' first and end."""
    group = cuda.blockIdx.x // blocks
    b_first = group // D * share
    return group, cuda.blockIdx.x - group * blocks, group % D, b_first, min(b_first + share, B)


@cache
def forward_projected(dtype: str, train: bool, cells: Tile, outputs: Tile, persistent: bool) -> Any:
    """The kernel, for `blocks * groups` blocks. Turns first ... last: 2*s for the cells of step s, 2*s + 1 for its h.

    z, b_x, cin, cn, starts, counts, reset, arrived: as in `forward.forward`; hin (D, rows, P), out (N, D*P) and hn
    (L*D, B, P) too. w (D, P, G*H): recurrent weights; w_hr (D, H, P): the projection's. m (D, N or B, H): room for what
    is projected. `behind`: where in shared memory the second product begins, in fours.
    """
    load, multiply = product(cells, dtype)
    load_hr, project = product(outputs, dtype)
    step = step_forward("LSTM", dtype, train)
    number = getattr(types, dtype)
    zero = number(0)
    U, S, THREADS, PAIRS, RESIDENT = cells.units, cells.samples, cells.threads, cells.pairs, cells.resident
    U_HR, S_HR, RESIDENT_HR = outputs.units, outputs.samples, outputs.resident
    ALL_PAIRS, ALL_PAIRS_HR, ALL_GATES = U * S, U_HR * S_HR, GATES * PAIRS

    @cuda.jit
    def run(
        z, w, b_x, w_hr, m, hin, cin, out, hn, cn, starts, counts, reset, arrived,
        layer_row, B, H, P, D, apart, behind, first, last, blocks, share,
    ):  # fmt: skip
        shared = cuda.shared.array(0, number) if SIMULATED else cuda.shared.array(0, number, ALIGNMENT)
        own_x, own_c = cuda.local.array(ALL_GATES, number), cuda.local.array(PAIRS, number)
        thread = cuda.threadIdx.x
        group, rank, d, b_first, b_last = part(blocks, share, B, D)
        unit0, output0 = rank * U, rank * U_HR
        T = counts.shape[0]
        backwards = d == 1
        if RESIDENT:
            load(shared, 0, w, d, unit0, H, P)
        if RESIDENT_HR:
            load_hr(shared, behind, w_hr, d, output0, P, H)
        if persistent:
            if rank == 0 and thread == 0:
                arrived[group] = 0
            cuda.cg.this_grid().sync()
        for turn in range(first, last):
            s = turn >> 1
            t = time_of(s, T, backwards)
            start, end = starts[at(t)], min(b_last, counts[at(t)])
            start_after, alive_after = start, 0
            if s + 1 < T:
                t = time_of(s + 1, T, backwards)
                start_after, alive_after = starts[at(t)], counts[at(t)]
            if turn & 1 == 0 and unit0 < H:
                for b0 in range(b_first, end, S):
                    count = min(S, end - b0)
                    row0 = start + b0 * apart
                    state0, state_apart = row0, apart
                    if not train:
                        state0, state_apart = (s & 1) * B + b0, 1
                    for p in range(PAIRS):
                        sample = (thread + p * THREADS) // U
                        unit = unit0 + thread + p * THREADS - sample * U
                        if sample < count and unit < H:
                            for g in range(GATES):
                                own_x[p * GATES + g] = (
                                    z[at(d), at(row0 + sample * apart), at(g * H + unit)] + b_x[at(d), at(g * H + unit)]
                                )
                            own_c[p] = cin[at(d), at(state0 + sample * state_apart), at(unit)]
                    sums = multiply(shared, 0, w, hin, d, state0, state_apart, count, unit0, H, P)
                    for p in range(PAIRS):
                        pair = thread + p * THREADS
                        sample = pair // U
                        unit = unit0 + pair - sample * U
                        if sample < count and unit < H:
                            b, row = b0 + sample, row0 + sample * apart
                            # An LSTM's gates do not take h itself.
                            projected, c = step(
                                own_x, own_x, p * GATES, shared, sums + (pair - sample * U) * S + sample, ALL_PAIRS,
                                z, z, d, row, unit, H, zero, own_c[p],
                            )  # fmt: skip
                            m[at(d), at(row if train else b), at(unit)] = projected
                            if b < alive_after:
                                fresh = cut(reset, counts, s + 1, b, T, backwards)
                                enters = start_after + b * apart if train else ((s + 1) & 1) * B + b
                                cin[at(d), at(enters), at(unit)] = zero if fresh else c
                            else:
                                cn[at(layer_row + d), at(b), at(unit)] = c
            if turn & 1 and output0 < P:
                for b0 in range(b_first, end, S_HR):
                    count = min(S_HR, end - b0)
                    m0, m_apart = (start + b0 * apart, apart) if train else (b0, 1)
                    sums = project(shared, behind, w_hr, m, d, m0, m_apart, count, output0, P, H)
                    for pair in range(thread, ALL_PAIRS_HR, THREADS):
                        sample = pair // U_HR
                        output, b = output0 + pair - sample * U_HR, b0 + sample
                        if sample < count and output < P:
                            h = shared[at(sums + (pair - sample * U_HR) * S_HR + sample)]
                            out[at(start + b * apart), at(d * P + output)] = h
                            if b < alive_after:
                                fresh = cut(reset, counts, s + 1, b, T, backwards)
                                enters = start_after + b * apart if train else ((s + 1) & 1) * B + b
                                hin[at(d), at(enters), at(output)] = zero if fresh else h
                            else:
                                hn[at(layer_row + d), at(b), at(output)] = h
            if persistent and turn + 1 < last:
                wait(arrived, group, (turn + 1 - first) * blocks)

    return run


@cache
def backward_projected(dtype: str, outputs: Tile, cells: Tile, persistent: bool) -> Any:
    """The kernel, for `blocks * groups` blocks. Turns last-1 down to first: 2*s + 3 for h's gradient after step s, and
    2*s + 2 for the step's cells, where s = -1 writes the initial states'.

    z, cin, starts, counts, reset, arrived: as `forward_projected` left them; z becomes the gates' gradients. w
    (D, G*H, P), w_hr (D, P, H): recurrent weights, and the projection's. dh (D, N, P): result, h's gradients. grad_out
    (N, D*P), or empty; grad_hn (L*D, B, P), grad_cn (L*D, B, H): given; grad_h0, grad_c0, of the same shapes: results.
    `behind` as in `forward_projected`.
    """
    load, multiply = product(outputs, dtype)
    load_hr, expand = product(cells, dtype)
    step = step_backward("LSTM", dtype)
    number = getattr(types, dtype)
    zero = number(0)
    U, S, THREADS, RESIDENT = outputs.units, outputs.samples, outputs.threads, outputs.resident
    U_HR, S_HR, PAIRS, RESIDENT_HR = cells.units, cells.samples, cells.pairs, cells.resident
    ALL_PAIRS, ALL_GATES = U * S, GATES * PAIRS

    @cuda.jit
    def run(
        z, w, w_hr, dh, cin, grad_out, grad_hn, grad_cn, grad_h0, grad_c0, starts, counts, reset, arrived,
        layer_row, B, H, P, D, apart, behind, first, last, blocks, share,
    ):  # fmt: skip
        shared = cuda.shared.array(0, number) if SIMULATED else cuda.shared.array(0, number, ALIGNMENT)
        own_x = cuda.local.array(ALL_GATES, number)
        own_c, own_dc = cuda.local.array(PAIRS, number), cuda.local.array(PAIRS, number)
        thread = cuda.threadIdx.x
        group, rank, d, b_first, b_last = part(blocks, share, B, D)
        output0, unit0 = rank * U, rank * U_HR
        T = counts.shape[0]
        K = GATES * H
        backwards = d == 1
        layer = layer_row + d
        if RESIDENT:
            load(shared, 0, w, d, output0, P, K)
        if RESIDENT_HR:
            load_hr(shared, behind, w_hr, d, unit0, H, P)
        if persistent:
            if rank == 0 and thread == 0:
                arrived[group] = 0
            cuda.cg.this_grid().sync()
        for turn in range(last - 1, first - 1, -1):
            s = (turn >> 1) - 1
            start, alive, start_after, alive_after = 0, 0, 0, 0
            if s >= 0:
                t = time_of(s, T, backwards)
                start, alive = starts[at(t)], counts[at(t)]
            if s + 1 < T:
                t = time_of(s + 1, T, backwards)
                start_after, alive_after = starts[at(t)], counts[at(t)]
            end = min(b_last, max(alive, alive_after))
            if turn & 1 and output0 < P:
                for b0 in range(b_first, end, S):
                    sums = 0
                    arriving = min(S, min(b_last, alive_after) - b0)  # samples with gradients from the step after
                    if arriving > 0:
                        sums = multiply(shared, 0, w, z, d, start_after + b0 * apart, apart, arriving, output0, P, K)
                    for pair in range(thread, ALL_PAIRS, THREADS):
                        sample = pair // U
                        output, b = output0 + pair - sample * U, b0 + sample
                        if b < end and output < P:
                            gradient = zero
                            if sample >= arriving:
                                gradient = grad_hn[at(layer), at(b), at(output)]
                            elif not cut(reset, counts, s + 1, b, T, backwards):
                                gradient = shared[at(sums + (pair - sample * U) * S + sample)]
                            if b < alive:
                                row = start + b * apart
                                if grad_out.shape[0]:
                                    gradient += grad_out[at(row), at(d * P + output)]
                                dh[at(d), at(row), at(output)] = gradient
                            else:
                                grad_h0[at(layer), at(b), at(output)] = gradient
            if turn & 1 == 0 and unit0 < H:
                for b0 in range(b_first, end, S_HR):
                    count = min(S_HR, min(b_last, alive) - b0)
                    for p in range(PAIRS):
                        sample = (thread + p * THREADS) // U_HR
                        unit, b = unit0 + thread + p * THREADS - sample * U_HR, b0 + sample
                        if sample < S_HR and b < end and unit < H:
                            own_dc[p] = zero
                            if b >= alive_after:
                                own_dc[p] = grad_cn[at(layer), at(b), at(unit)]
                            elif not cut(reset, counts, s + 1, b, T, backwards):
                                own_dc[p] = grad_c0[at(layer), at(b), at(unit)]
                            if b < alive:
                                own_c[p] = cin[at(d), at(start + b * apart), at(unit)]
                                for g in range(GATES):
                                    own_x[p * GATES + g] = z[at(d), at(start + b * apart), at(g * H + unit)]
                    sums = 0
                    if count > 0:
                        sums = expand(shared, behind, w_hr, dh, d, start + b0 * apart, apart, count, unit0, H, P)
                    for p in range(PAIRS):
                        pair = thread + p * THREADS
                        sample = pair // U_HR
                        unit, b = unit0 + pair - sample * U_HR, b0 + sample
                        if sample < S_HR and b < end and unit < H:
                            dc = own_dc[p]
                            if b < alive:
                                dm = shared[at(sums + (pair - sample * U_HR) * S_HR + sample)]
                                _, dc = step(
                                    own_x, own_x, p * GATES, z, z, d, start + b * apart, unit, H, zero, own_c[p], dm, dc
                                )
                            grad_c0[at(layer), at(b), at(unit)] = dc
            if persistent and turn > first:
                wait(arrived, group, (last - turn) * blocks)

    return run
