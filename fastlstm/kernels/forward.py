"""Forward through one layer: the input products of a chunk of time, then each step's recurrent product and cell."""

import numpy as np

from fastlstm.kernels.advance import call_cell, u_row
from fastlstm.kernels.jit import at, inner, lanes_of, put, task
from fastlstm.kernels.machine import host
from fastlstm.kernels.product import panel_width, product, product_of_state
from fastlstm.kernels.rows import add, clear, copy, copy_padded, multiply
from fastlstm.kernels.tokens import (
    boundary,
    every_row,
    out_row,
    samples,
    samples_at,
    samples_cut,
    share,
    state_row,
    time_of,
    token,
    x_row,
)

VECTOR_BYTES = host().vector_bytes


def forward(job, phase, portion):
    """Kernel: one portion of one phase of a layer, or in a wavefront of all layers.

    Phases follow each other; the portions of one may be done at once, in any order, by any thread.
    """
    if job.together and not job.wavefront:
        steps = phases_of(job)
        here, member, members = task(job, phase // steps), portion, job.threads
        first, last = phase % steps, phase % steps + 1
    else:
        here, member, members = task(job, portion), np.int64(0), np.int64(1)
        first, last = np.int64(0), phases_of(here)
        if job.wavefront:  # each layer is a chunk of time behind the one below
            first = (phase - portion) * (here.chunk + 2)
            last = min(first + here.chunk + 2, last)
            first = max(first, 0)
    # One call: Numba compiles a function again for every pattern of literal arguments.
    block0, block1 = share(here.blocks, blocks_per_panel(here), member, members)
    for number in range(first, last):
        _phase(here, number, member, members, block0, block1)


@inner
def phases_of(job):
    """How many phases a task has: of each chunk of time the gathering of its input, its input products, its steps."""
    return 2 * ((job.T + job.chunk - 1) // job.chunk) + job.T


@inner
def blocks_per_panel(job):
    """Threads share units in these portions: they fill whole panels, forward and backward."""
    return panel_width(job.z) // lanes_of(job.z)


@inner
def _phase(job, number, member, members, block0, block1):
    """One phase of one direction: the units of blocks block0..block1-1, this member's part of what is no unit's."""
    lanes = lanes_of(job.z)
    chunk = number // (job.chunk + 2)
    part = number - chunk * (job.chunk + 2)
    start = chunk * job.chunk
    stop = min(start + job.chunk, job.T)
    t0 = job.T - stop if job.backwards else start
    t1 = t0 + stop - start
    origin = 0 if job.train else token(job, t0)  # of the rows of xs and z
    if part == 0:
        _gather(job, member, members, t0, t1, origin)
    elif part == 1 and job.multiplies_input:
        _input_products(job, t0, t1, origin, block0, block1)
    elif part == 1:
        _spread_input(job, t0, t1, origin, block0, block1)
    # What enters a step is written in the phase before: its product reads all units of it.
    s = start + part - 2
    if part > 1:
        _step(job, s, origin, block0, block1)
    if part > 1 and s + 1 == job.T:
        _leave(job, block0 * lanes, block1 * lanes)
    elif part > 1 or number == 1:
        _enter(job, s + 1, block0 * lanes, block1 * lanes)


@inner
def _gather(job, member, members, t0, t1, origin):
    """xs = the rows of x of steps t0..t1-1, a 1 behind them (the bias' input in backward), then zeros."""
    width = (job.I // panel_width(job.x) + 1) * panel_width(job.x)
    one = np.int64(1)  # no literal: Numba would compile `share` again for it
    first, last = share(t1 - t0, one, member, members)
    for t in range(t0 + first, t0 + last):
        row = token(job, t) - origin
        for b in range(samples(job, t)):
            source, target = x_row(job, job.x, t, b), at(job.xs, (row + b) * job.xs_ld)
            if job.multiplies_input:
                copy_padded(source, target, job.I, width)
            else:  # a head's units of each gate
                for gate in range(job.gates):
                    copy_padded(at(source, gate * job.gate_step), at(target, gate * job.H), job.H, job.H)
                clear(at(target, job.I), width - job.I)
            put(target, job.I, 1.0)


@inner
def _input_products(job, t0, t1, origin, block0, block1):
    """z = x W_ih' + b_ih for all tokens of the steps t0..t1-1."""
    W = panel_width(job.z)
    gates = job.gates * lanes_of(job.z)
    row = token(job, t0) - origin
    panel = job.wx_panel
    product(
        job,
        at(job.xs, row * job.xs_ld),
        job.xs_ld,
        1,
        token(job, t1) - token(job, t0),
        job.I,
        at(job.wx, W),
        panel,
        block0 * gates // W,
        block1 * gates // W,
        job.wx,
        0,
        panel,
        at(job.z, row * job.z_ld),
        job.z_ld,
    )


@inner
def _spread_input(job, t0, t1, origin, block0, block1):
    """z = x + biases for all tokens of the steps t0..t1-1, where x holds the gates: (G, H) into (blocks, G, lanes)."""
    W, lanes, gates = panel_width(job.z), lanes_of(job.z), job.gates
    for row in range(token(job, t0) - origin, token(job, t1) - origin):
        x, z = at(job.xs, row * job.xs_ld), at(job.z, row * job.z_ld)
        for r in range(block0 * gates, block1 * gates):
            target = at(z, r * lanes)
            copy(at(x, r % gates * job.H + r // gates * lanes), target, lanes)
            add(at(job.wx, r * lanes // W * job.wx_panel + r * lanes % W), target, lanes)


@inner
def _enter(job, s, first, last):
    """Before step s: the initial state of the samples that begin here, zeros for those that are reset."""
    t = time_of(job, s)
    row = state_row(job, s)
    for b in range(samples_at(job, s - 1), samples(job, t)):
        state = at(job.h0, b * job.h_row)
        _initial(job.has_state, state, job.P, at(job.hin, (row + b) * job.h_ld), first, min(last, job.h_ld))
        for n in range(job.others):
            state = at(job.c0, n * job.others_step + b * job.c_row)
            _initial(job.has_state, state, job.H, at(job.cin, (row + b) * job.c_ld + n * job.section), first, last)
    if job.resets:
        for b in range(samples_cut(job, s)):
            if job.reset[boundary(job, s) * job.reset_step + b]:
                clear(at(job.hin, (row + b) * job.h_ld + first), min(last, job.h_ld) - first)
                for n in range(job.others):
                    clear(at(job.cin, (row + b) * job.c_ld + n * job.section + first), last - first)


@inner
def _initial(given, state, width, target, first, last):
    """Columns first..last-1 of a sample's initial state, zeros behind `width`."""
    count = max(min(width, last) - first, 0) if given else 0
    copy_padded(at(state, first), at(target, first), count, last - first)


@inner
def _recurrent_product(job, s, origin, block0, block1):
    """Step s for some blocks: z += h W_hh', or u = h W_hh' + b_hh where the cell splits its gates."""
    W = panel_width(job.z)
    gates = job.gates * lanes_of(job.z)
    panel = job.wh_panel
    out, start, start_row, start_panel = (
        at(job.z, (token(job, time_of(job, s)) - origin) * job.z_ld),
        job.z,
        job.z_ld,
        W,
    )
    if job.splits_gates:
        out, start, start_row, start_panel = at(job.u, u_row(job, s) * job.z_ld), job.wh, 0, panel
    else:
        start = out
    product_of_state(
        job,
        at(job.hin, state_row(job, s) * job.h_ld),
        job.h_ld,
        1,
        samples_at(job, s),
        job.P,
        at(job.wh, W),
        panel,
        block0 * gates // W,
        block1 * gates // W,
        start,
        start_row,
        start_panel,
        out,
        job.z_ld,
    )


@inner
def _blocks_at_once(job, count):
    """How many blocks of units go from the product to the cell together: their gates fill `step_bytes`."""
    row = job.gates * VECTOR_BYTES
    portion = blocks_per_panel(job)
    if job.across:  # a mean needs the products of all units
        return job.blocks
    return max(job.step_bytes // (row * max(count, 1)) // portion, 1) * portion


@inner
def _step(job, s, origin, block0, block1):
    """The cell for every sample of step s, the new state to where step s + 1 (or the end) looks for it, h to out."""
    lanes = lanes_of(job.z)
    t = time_of(job, s)
    count = samples(job, t)
    going_on = min(count, samples_at(job, s + 1))
    next_row = state_row(job, s + 1) if going_on else 0
    m_row = token(job, t) if job.train else 0
    portion = _blocks_at_once(job, count)
    for first in range(block0, block1, portion):
        last = min(first + portion, block1)
        if job.multiplies_state:
            _recurrent_product(job, s, origin, first, last)
        call_cell(job.advance, job, s, origin, first, last)
    if job.projected:
        _project(job, at(job.m, m_row * job.c_ld), at(job.hin, next_row * job.h_ld), going_on)
        _project(job, at(job.m, (m_row + going_on) * job.c_ld), at(job.h_end, going_on * job.h_ld), count - going_on)
    first = block0 * lanes
    width = job.P - first if job.projected else min(job.P, block1 * lanes) - first
    for b in range(count):
        new_h = at(job.hin, (next_row + b) * job.h_ld) if b < going_on else at(job.h_end, b * job.h_ld)
        target = at(out_row(job, job.out, t, b), first)
        copy(at(new_h, first), target, width)
        if job.has_every:
            new_c = at(job.cin, (next_row + b) * job.c_ld) if b < going_on else at(job.c_end, b * job.c_ld)
            for n in range(job.others):
                every = at(every_row(job, at(job.every, n * job.every_step), t, b), first)
                copy(at(new_c, n * job.section + first), every, min(job.H, block1 * lanes) - first)
        if job.masked:
            multiply(at(out_row(job, job.mask, t, b), first), target, width)


@inner
def _project(job, m, h, count):
    """h = m W_hr'."""
    W = panel_width(job.z)
    panel = job.wr_panel
    if count > 0:
        product(
            job,
            m,
            job.c_ld,
            1,
            count,
            job.H,
            at(job.wr, W),
            panel,
            0,
            (job.P + W - 1) // W,
            job.wr,
            0,
            panel,
            h,
            job.h_ld,
        )


@inner
def _leave(job, first, last):
    """The final states, columns first..last-1."""
    for b in range(job.B):
        width = job.P - first if job.projected else min(job.P, last) - first
        copy(at(job.h_end, b * job.h_ld + first), at(job.hn, b * job.h_row + first), width)
        for n in range(job.others):
            source = at(job.c_end, b * job.c_ld + n * job.section + first)
            copy(source, at(job.cn, n * job.others_step + b * job.c_row + first), min(job.H, last) - first)
