"""Backward through the time steps of one layer: from the gradients of h and c to those of the gates."""

import numpy as np

from fastlstm.kernels.advance import call_cell
from fastlstm.kernels.forward import blocks_per_panel
from fastlstm.kernels.jit import at, inner, lanes_of, task
from fastlstm.kernels.product import panel_width, product
from fastlstm.kernels.rows import add, clear, copy, copy_padded
from fastlstm.kernels.tokens import (
    boundary,
    every_row,
    out_row,
    samples,
    samples_at,
    samples_cut,
    share,
    time_of,
    token,
)


def backward(job, phase, portion):
    """Kernel: z (and u) become the gradients of the gates' products: one portion of one phase of a layer.

    Phases follow each other; the portions of one may be done at once, in any order, by any thread.
    """
    if job.together:
        steps = job.T + 1
        here, member, members = task(job, phase // steps), portion, job.threads
        first, last = phase % steps, phase % steps + 1
    else:
        here, member, members = task(job, portion), np.int64(0), np.int64(1)
        first, last = np.int64(0), here.T + 1
    # One call: Numba compiles a function again for every pattern of literal arguments.
    block0, block1 = share(here.blocks, blocks_per_panel(here), member, members)
    for number in range(first, last):
        _phase(here, number, block0, block1)


@inner
def _phase(job, number, block0, block1):
    """The products of the step behind, which read all of its units, then one step's own: blocks block0..block1-1."""
    lanes = lanes_of(job.z)
    s = job.T - 1 - number
    if number > 0:
        if job.returns_state:
            _recurrent_products(job, s + 1, block0, block1)
        elif not job.passes_state:
            for b in range(samples_at(job, s + 1)):
                clear(at(job.dh, b * job.h_ld + block0 * lanes), min(block1 * lanes, job.h_ld) - block0 * lanes)
        if job.resets:
            _cut(job, s + 1, block0 * lanes, block1 * lanes)
    if s >= 0:
        _arrive(job, s, block0 * lanes, block1 * lanes)
        if job.projected:
            _unproject(job, s)
        call_cell(job.retreat, job, s, np.int64(0), block0, block1)
    else:
        _leave(job, block0 * lanes, block1 * lanes)


@inner
def _arrive(job, s, first, last):
    """The gradient of the final state for the samples that end with step s, then that of the output added to dh."""
    t = time_of(job, s)
    h_last = min(last, job.h_ld)
    for b in range(samples_at(job, s + 1), samples(job, t)):
        gradient = at(job.grad_hn, b * job.h_row)
        _final(job.has_grad_state, gradient, job.P, at(job.dh, b * job.h_ld), first, h_last)
        for n in range(job.others):
            gradient = at(job.grad_cn, n * job.others_step + b * job.c_row)
            _final(job.has_grad_state, gradient, job.H, at(job.dc, b * job.c_ld + n * job.section), first, last)
    if job.has_grad_every:
        for b in range(samples(job, t)):
            for n in range(job.others):
                source = at(every_row(job, at(job.grad_every, n * job.every_step), t, b), first)
                add(source, at(job.dc, b * job.c_ld + n * job.section + first), min(job.H, last) - first)
    if job.has_grad_out:
        width = min(job.P, h_last) - first
        for b in range(samples(job, t)):
            source = at(out_row(job, job.grad_out, t, b), first)
            target = at(job.dh, b * job.h_ld + first)
            if job.masked:
                factor = at(out_row(job, job.mask, t, b), first)
                for i in range(width):
                    target[i] += source[i] * factor[i]
            else:
                for i in range(width):
                    target[i] += source[i]


@inner
def _final(given, gradient, width, target, first, last):
    count = max(min(width, last) - first, 0) if given else 0
    copy_padded(at(gradient, first), at(target, first), count, last - first)


@inner
def _unproject(job, s):
    """dm = dh W_hr, and dh kept for the gradient of W_hr."""
    W = panel_width(job.z)
    count = samples_at(job, s)
    row = token(job, time_of(job, s))
    for b in range(count):
        copy(at(job.dh, b * job.h_ld), at(job.dp, (row + b) * job.h_ld), job.h_ld)
    panel = (1 + job.P) * W
    product(
        job,
        job.dh,
        job.h_ld,
        1,
        count,
        job.P,
        at(job.wr_t, W),
        panel,
        0,
        (job.H + W - 1) // W,
        job.wr_t,
        0,
        panel,
        job.dm,
        job.c_ld,
    )


@inner
def _recurrent_products(job, s, block0, block1):
    """dh of the previous step = du W_hh, added to what passed the gates where the cell lets the state pass."""
    W = panel_width(job.z)
    lanes = lanes_of(job.z)
    K = job.gates * lanes * job.blocks
    panel = (1 + K) * W
    du = job.u if job.splits_gates else job.z
    first, last = block0 * lanes // W, (block1 * lanes + W - 1) // W
    if job.projected:
        last = (job.P + W - 1) // W
    start, start_row, start_panel = job.wh_t, 0, panel
    if job.passes_state:
        start, start_row, start_panel = job.dh, job.h_ld, W
    product(
        job,
        at(du, token(job, time_of(job, s)) * job.z_ld),
        job.z_ld,
        1,
        samples_at(job, s),
        K,
        at(job.wh_t, W),
        panel,
        first,
        last,
        start,
        start_row,
        start_panel,
        job.dh,
        job.h_ld,
    )


@inner
def _cut(job, s, first, last):
    """Nothing flows into the state that a reset threw away."""
    for b in range(samples_cut(job, s)):
        if job.reset[boundary(job, s) * job.reset_step + b]:
            clear(at(job.dh, b * job.h_ld + first), min(last, job.h_ld) - first)
            for n in range(job.others):
                clear(at(job.dc, b * job.c_ld + n * job.section + first), last - first)


@inner
def _leave(job, first, last):
    """The gradients of the initial states, columns first..last-1."""
    for b in range(job.B):
        copy(
            at(job.dh, b * job.h_ld + first),
            at(job.grad_h0, b * job.h_row + first),
            min(job.P, min(last, job.h_ld)) - first,
        )
        for n in range(job.others):
            target = at(job.grad_c0, n * job.others_step + b * job.c_row + first)
            copy(at(job.dc, b * job.c_ld + n * job.section + first), target, min(job.H, last) - first)
