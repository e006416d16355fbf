"""The gradients that need no order of time: of the input and of all weights, as whole products over the tokens."""

import numpy as np

from fastlstm.kernels.jit import at, inner, lanes_of, put, task
from fastlstm.kernels.pack import gate_row, group, recurrent_row
from fastlstm.kernels.product import panel_width, product
from fastlstm.kernels.rows import add, clear, copy, gather
from fastlstm.kernels.tiling import BLOCK_LD, BLOCK_ROWS, DEPTH, ROWS, C, R
from fastlstm.kernels.tokens import samples, share, token, x_row
from fastlstm.kernels.vectorcopy import copy_tile


def gradients(job, phase, portion):
    """Kernel, one for all cells: the gradients of x and of all parameters, from the gates'; after `backward` has ended.

    One phase of `job.threads` portions: how sums are cut depends on how many threads may take part, not on how many do.
    """
    for number in range(job.tasks):
        here = task(job, number)
        if not here.skips_x:
            if job.multiplies_input:
                _input_gradient(here, portion, job.threads)
            else:
                _gather_gradient(here, portion, job.threads)
        if here.leads:
            if here.narrow:
                _narrow_weight_gradients(here, portion, job.threads)
            else:
                _weight_gradients(here, portion, job.threads)


@inner
def _input_gradient(job, portion, portions):
    """grad_x = dz W_ih for this portion's time steps; a direction or head adds to those before."""
    W = panel_width(job.z)
    K = job.gates * lanes_of(job.z) * job.blocks
    panels = (job.I + W - 1) // W
    panel = (1 + K) * W
    scratch = at(job.scratch, portion * job.scratch_thread)
    t, last = share(job.T, np.int64(1), portion, portions)
    while t < last:
        stop = t + 1
        while stop < last and token(job, stop + 1) - token(job, t) <= ROWS:
            stop += 1
        row = token(job, t)
        product(
            job,
            at(job.z, row * job.z_ld),
            job.z_ld,
            1,
            token(job, stop) - row,
            K,
            at(job.wx_t, W),
            panel,
            0,
            panels,
            job.wx_t,
            0,
            panel,
            scratch,
            panels * W,
        )
        for step in range(t, stop):
            for b in range(samples(job, step)):
                source = at(scratch, (token(job, step) - row + b) * panels * W)
                if job.adds:
                    add(source, x_row(job, job.grad_x, step, b), job.I)
                else:
                    copy(source, x_row(job, job.grad_x, step, b), job.I)
        t = stop


@inner
def _gather_gradient(job, portion, portions):
    """grad_x = dz where x holds the gates: (blocks, G, lanes) into (G, H)."""
    lanes, gates = lanes_of(job.z), job.gates
    first, last = share(job.T, np.int64(1), portion, portions)
    for t in range(first, last):
        for b in range(samples(job, t)):
            z, x = at(job.z, (token(job, t) + b) * job.z_ld), x_row(job, job.grad_x, t, b)
            for r in range(job.blocks * gates):
                unit = r // gates * lanes
                target, count = at(x, r % gates * job.gate_step + unit), max(min(lanes, job.H - unit), 0)
                if job.adds:
                    add(at(z, r * lanes), target, count)
                else:
                    copy(at(z, r * lanes), target, count)


@inner
def _weight_gradients(job, portion, portions):
    """Gradients of both weights and biases, in two products where the cell splits its gates, and of the projection.

    One call of `_sums` in a loop: LLVM would compile each of three calls.
    """
    W = panel_width(job.z)
    gate_rows = job.gates * lanes_of(job.z) * job.blocks
    x_panels = job.I // W + 1  # the 1 behind the last input makes the bias' gradient a column like the others
    splits = job.splits_gates
    for part in range(3 + job.stages):
        sums, a, a_ld, rows = job.sums, job.z, job.z_ld, gate_rows
        x_first, x_last = 0, x_panels
        h, h_ld, h_panels = job.hin, job.h_ld, (job.P + W - 1) // W
        column, bias_column = x_panels * W, job.I
        low, high = np.int64(0), gate_rows
        if part == 0:
            if splits or not job.recurs:
                h_panels = 0
            if not job.multiplies_input:  # the panel with the 1 is all that is wanted of xs
                x_first = x_panels - 1
                column, bias_column = W, job.I % W
        elif part != 2:
            if not splits:
                continue
            low, count = group(job, max(part - 2, 0))
            high = low + count
            a, x_first = job.u, x_panels - 1
            column, bias_column = W, job.I % W
            if part > 2:
                h = job.v0 if part == 3 else job.v1
        else:
            if not job.projected:
                continue
            sums, a, a_ld, rows = at(job.sums, gate_rows * job.sums_ld), job.dp, job.h_ld, job.P
            high, x_last = job.P, 0
            h, h_ld, h_panels = job.m, job.c_ld, (job.H + W - 1) // W
        # A portion has the same rows in every part: nothing keeps it from one while another is in the part before.
        first, last = share(rows, np.int64(R), portion, portions)
        first, last = max(first, low), min(last, high)
        if first >= last:
            continue
        _sums(job, portion, sums, a, a_ld, first, last, x_first, x_last, h, h_ld, h_panels)
        if part == 0 and job.multiplies_input:
            _unpack_input(job, first, last)
        if (part == splits or part > 2) and job.recurs:
            _unpack_recurrent(job, first, last, column, bias_column)
        elif part == 2:
            for p in range(first, last):
                copy(at(sums, p * job.sums_ld), at(job.grad_w_hr, p * job.H), job.H)


@inner
def _sums(job, portion, sums, a, a_ld, first, last, x_first, x_last, h, h_ld, h_panels):
    """sums[r, n] = sum over tokens k of a[k, r] * b[k, n], the rows first..last-1; b is the panels x_first..x_last-1 of
    xs, then those of h. a: rows a_ld apart.
    """
    W = panel_width(a)
    panels = x_last - x_first + h_panels
    columns = at(job.scratch, portion * job.scratch_thread)
    block_rows = at(columns, panels * DEPTH * W)
    for r in range(first, last):
        clear(at(sums, r * job.sums_ld), panels * W)
    for done in range(0, job.all_tokens, DEPTH):
        K = min(DEPTH, job.all_tokens - done)
        for panel in range(panels):
            here = panel + x_first
            source, ld = at(job.xs, done * job.xs_ld + here * W), job.xs_ld
            if here >= x_last:
                source, ld = at(h, done * h_ld + (here - x_last) * W), h_ld
            copy_tile(source, ld, at(columns, panel * DEPTH * W), W, C, 0, K)
        for block in range(first, last, BLOCK_ROWS):
            copy_tile(at(a, done * a_ld + block), a_ld, block_rows, BLOCK_LD, 0, BLOCK_ROWS, K)
            target = at(sums, block * job.sums_ld)
            product(
                job,
                block_rows,
                1,
                BLOCK_LD,
                min(BLOCK_ROWS, last - block),
                K,
                columns,
                DEPTH * W,
                0,
                panels,
                target,
                job.sums_ld,
                W,
                target,
                job.sums_ld,
            )


@inner
def _narrow_weight_gradients(job, portion, portions):
    """`_weight_gradients` where x and h are narrow: theirs are the rows of the product, which nothing pads.

    An LSTM(5, 20) has 26 columns: in whole panels they are 48.
    """
    splits = job.splits_gates
    for part in range(1 + splits):
        a, x_first = job.z, np.int64(0)
        if part:
            a, x_first = job.u, job.I  # of x no more than the 1 behind it, whose sums are the bias' gradient
        h_width = job.P if part == splits else np.int64(0)
        first, last = _narrow_sums(job, portion, portions, a, x_first, h_width)
        for r in range(first, last):
            gate, recurrent = gate_row(job, r, job.gate_step), gate_row(job, r, job.H)
            if gate >= 0:
                column = at(job.sums, r)
                bias = column[(job.I - x_first) * job.sums_ld]
                if part == 0:
                    gather(column, job.sums_ld, at(job.grad_w_ih, gate * job.I), job.I)
                    if job.bias:
                        put(job.grad_b_ih, gate, bias)
                if part == splits:
                    behind = at(column, (job.I + 1 - x_first) * job.sums_ld)
                    gather(behind, job.sums_ld, at(job.grad_w_hh, recurrent * job.P), job.P)
                    if job.bias:
                        put(job.grad_b_hh, gate, bias)


@inner
def _narrow_sums(job, portion, portions, a, x_first, h_width):
    """sums[n, r] = sum over tokens k of b[k, n] * a[k, r]; b is xs from x_first to the 1, then `h_width` of h.

    Returns the range of gate rows r of this portion. Rows of b are read where they are: a line or two for each token.
    """
    W = panel_width(a)
    first, last = share(job.gates * lanes_of(a) * job.blocks, W, portion, portions)
    panel = at(job.scratch, portion * job.scratch_thread)
    x_rows = job.I + 1 - x_first
    for n in range(x_rows + h_width):
        clear(at(job.sums, n * job.sums_ld + first), last - first)
    for done in range(0, job.all_tokens, DEPTH):
        K = min(DEPTH, job.all_tokens - done)
        for r in range(first, last, W):
            copy_tile(at(a, done * job.z_ld + r), job.z_ld, panel, W, C, 0, K)
            for part in range(2):
                rows, ld, count = at(job.xs, x_first), job.xs_ld, x_rows
                target = at(job.sums, r)
                if part:
                    rows, ld, count = job.hin, job.h_ld, h_width
                    target = at(target, x_rows * job.sums_ld)
                if count:
                    product(
                        job,
                        at(rows, done * ld),
                        1,
                        ld,
                        count,
                        K,
                        panel,
                        0,
                        0,
                        1,
                        target,
                        job.sums_ld,
                        0,
                        target,
                        job.sums_ld,
                    )
    return first, last


@inner
def _unpack_input(job, first, last):
    """Rows first..last-1 of sums to grad_w_ih and grad_b_ih."""
    for r in range(first, last):
        gate = gate_row(job, r, job.gate_step)
        if gate >= 0:
            source = at(job.sums, r * job.sums_ld)
            copy(source, at(job.grad_w_ih, gate * job.I), job.I)
            if job.bias:
                put(job.grad_b_ih, gate, source[job.I])


@inner
def _unpack_recurrent(job, first, last, column, bias_column):
    """Rows first..last-1 of sums, which are rows of u, to grad_w_hh and grad_b_hh."""
    for r in range(first, last):
        gate, recurrent = recurrent_row(job, r, job.gate_step), recurrent_row(job, r, job.H)
        if gate >= 0:
            source = at(job.sums, r * job.sums_ld)
            copy(at(source, column), at(job.grad_w_hh, recurrent * job.P), job.P)
            if job.bias:
                put(job.grad_b_hh, gate, source[bias_column])
