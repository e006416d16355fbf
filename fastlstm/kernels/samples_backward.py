"""Backward through one layer with samples as lanes, the weights' gradients summed while the gates' are in the cache."""

from fastlstm.kernels.advance import call_cell
from fastlstm.kernels.jit import at, inner, lanes_of, put, task
from fastlstm.kernels.rows import clear, gather
from fastlstm.kernels.samples_forward import cut, product, spread
from fastlstm.kernels.samples_tile import sums_tile, totals
from fastlstm.kernels.samples_turn import fetch_rows, to_lanes, to_rows
from fastlstm.kernels.tiling import SUM_COLUMNS, SUM_ROWS
from fastlstm.kernels.tokens import out_row, share, time_of, token, x_row


def backward_samples(job, phase, portion):
    """Kernel: a task of a layer: gradients of x, of the first state and sums for those of the weights.

    Sums are vectors, their lanes added up in `gradients_samples`. Lanes behind the last sample have its values and no
    gradient: they add nothing. A chunk of time is as long as its gates stay at hand.
    """
    here = task(job, portion)
    _begin(here)
    done = here.T
    while done > 0:
        first = max(done - here.chunk, 0)
        for n in range(done - first):
            _step(here, done - 1 - n)
        t = here.T - done if here.backwards else first
        _sum(here, token(here, t), (done - first) * here.B, done < here.T)
        done = first
    _leave(here)


def gradients_samples(job, phase, portion):
    """Kernel, `job.threads` portions: the gradients of all parameters, from the sums of all tasks."""
    lanes, splits, G, H, I = lanes_of(job.z), job.splits_gates, job.gates, job.P, job.I
    behind = at(job.sums, splits * job.sums_part)  # of the part that has h
    one = 0 if splits else I
    first, last = share(G * H, 1, portion, job.threads)
    for r in range(first, last):
        row = r % G * H + r // G  # torch's
        x, h = at(job.sums, r * job.sums_ld), at(behind, r * job.sums_ld)
        totals(x, I, job.sums_size, job.tasks, at(job.grad_w_ih, row * I))
        totals(at(h, (one + 1) * lanes), H, job.sums_size, job.tasks, at(job.grad_w_hh, row * H))
        if job.bias:
            totals(at(x, I * lanes), 1, job.sums_size, job.tasks, at(job.grad_b_ih, row))
            totals(at(h, one * lanes), 1, job.sums_size, job.tasks, at(job.grad_b_hh, row))


@inner
def _begin(job):
    """The gradients of the final state, or zeros."""
    lanes = lanes_of(job.z)
    clear(job.dh, job.B * job.h_ld)
    clear(job.dc, job.B * job.c_ld)
    if job.has_grad_state:
        for b in range(job.samples):
            group, lane = b // lanes, b % lanes
            spread(1, at(job.grad_hn, b * job.h_row), job.P, at(job.dh, group * job.h_ld + lane))
            for n in range(job.others):
                source = at(job.grad_cn, n * job.others_step + b * job.c_row)
                spread(1, source, job.P, at(job.dc, group * job.c_ld + n * job.section + lane))


@inner
def _step(job, s):
    """The gates' gradients of step s, from them those of what entered it."""
    lanes, t = lanes_of(job.z), time_of(job, s)
    if s > 0:
        before = time_of(job, s - 1)
        if job.has_grad_out:
            fetch_rows(out_row(job, job.grad_out, before, 0), job.out_batch, job.samples, job.P)
        if not job.skips_x:
            fetch_rows(x_row(job, job.grad_x, before, 0), job.x_batch, job.samples, job.I)
    _arrive(job, t)
    call_cell(job.retreat, job, s, 0, 0, job.blocks)
    z, u, rows = at(job.z, token(job, t) * job.z_ld), at(job.u, token(job, t) * job.z_ld), job.gates * job.P
    # h's, then x's: one call of the product, two would be compiled twice
    for part in range(1 if job.skips_x else 2):
        first, out, gradients, adds = 0, job.dx, z, 0
        if part == 0:
            first, out, gradients = job.I + 1 + job.splits_gates, job.dh, u if job.splits_gates else z
            adds = job.passes_state
        group = job.I * lanes if part else job.h_ld
        product(job.B, at(job.wl, first), 1, job.wl_ld, job.I if part else job.P, gradients, job.z_ld, rows, adds, out,
                group)  # fmt: skip
    if not job.skips_x:
        to_rows(job.dx, job.I * lanes, job.samples, job.I, x_row(job, job.grad_x, t, 0), job.x_batch)
    if job.resets:
        cut(job, s, job.dh, job.dc)


@inner
def _arrive(job, t):
    """The gradients of the output and of the states beside it, added."""
    lanes = lanes_of(job.z)
    if job.has_grad_out and not job.masked:
        to_lanes(out_row(job, job.grad_out, t, 0), job.out_batch, job.samples, job.P, job.dh, job.h_ld, 1)
    elif job.has_grad_out:
        for b in range(job.samples):
            source, factor = out_row(job, job.grad_out, t, b), out_row(job, job.mask, t, b)
            target = at(job.dh, b // lanes * job.h_ld + b % lanes)
            for j in range(job.P):
                put(target, j * lanes, target[j * lanes] + source[j] * factor[j])
    if job.has_grad_every:
        for n in range(job.others):
            every = out_row(job, at(job.grad_every, n * job.every_step), t, 0)
            to_lanes(every, job.out_batch, job.samples, job.P, at(job.dc, n * job.section), job.c_ld, 1)


@inner
def _sum(job, row, count, adds):
    """Sums over `count` rows from this one on: dz' [x 1 h]; dz' [x 1] and du' [1 h] where the cell splits its gates.

    `adds`: to those before.
    """
    lanes = lanes_of(job.z)
    splits, rows = job.splits_gates, job.gates * job.P
    x = at(job.xs, row * job.xs_ld)
    for part in range(1 + splits):
        a, sums = at(job.u if part else job.z, row * job.z_ld), at(job.sums, part * job.sums_part)
        b = at(x, job.I * part * lanes)
        columns = job.I + 1 - job.I * part + (job.P if part == splits else 0)
        for r in range(0, rows, SUM_ROWS):
            for n in range(0, columns, SUM_COLUMNS):
                target = at(sums, r * job.sums_ld + n * lanes)
                sums_tile(at(a, r * lanes), job.z_ld, at(b, n * lanes), job.xs_ld, count, adds, target, job.sums_ld)


@inner
def _leave(job):
    """The gradients of the initial states."""
    lanes = lanes_of(job.z)
    for b in range(job.samples):
        group, lane = b // lanes, b % lanes
        gather(at(job.dh, group * job.h_ld + lane), lanes, at(job.grad_h0, b * job.h_row), job.P)
        for n in range(job.others):
            source = at(job.dc, group * job.c_ld + n * job.section + lane)
            gather(source, lanes, at(job.grad_c0, n * job.others_step + b * job.c_row), job.P)
