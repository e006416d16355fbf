"""Forward through one layer with samples as lanes: a task is the samples of one or two registers, step after step.

No unit is padded and no gate is turned: what the product stores is what the cell reads, a vector for each unit's gate.
`advance` and `retreat` serve as they are: a block of units, to them, is one unit of a group of samples.
"""

from fastlstm.kernels.advance import call_cell, u_row
from fastlstm.kernels.jit import at, inner, lanes_of, put, task
from fastlstm.kernels.rows import gather, multiply
from fastlstm.kernels.samples_tile import product_tile
from fastlstm.kernels.samples_turn import fetch_rows, to_lanes, to_rows
from fastlstm.kernels.tiling import MOST_GROUPS, ROWS_OF_1, ROWS_OF_2
from fastlstm.kernels.tokens import boundary, out_row, state_row, time_of, token, x_row


def forward_samples(job, phase, portion):
    """Kernel: a task of a layer. `job.B` is its groups, `job.samples` its samples."""
    here = task(job, portion)
    lanes = lanes_of(here.z)
    for b in range(here.samples):
        place = (b // lanes) * here.h_ld + b % lanes
        spread(
            here.has_state, at(here.h0, b * here.h_row), here.P, at(here.hin, state_row(here, 0) * here.h_ld + place)
        )
        other = at(here.cin, state_row(here, 0) * here.c_ld + (b // lanes) * here.c_ld + b % lanes)
        for n in range(here.others):
            state = at(here.c0, n * here.others_step + b * here.c_row)
            spread(here.has_state, state, here.P, at(other, n * here.section))
    for s in range(here.T):
        _step(here, s)
    for b in range(here.samples):
        group, lane = b // lanes, b % lanes
        gather(at(here.h_end, group * here.h_ld + lane), lanes, at(here.hn, b * here.h_row), here.P)
        for n in range(here.others):
            source = at(here.c_end, group * here.c_ld + n * here.section + lane)
            gather(source, lanes, at(here.cn, n * here.others_step + b * here.c_row), here.P)


@inner
def spread(given, source, count, target):
    """target[i * lanes] = source[i], or 0 where nothing is given."""
    lanes = lanes_of(target)
    for i in range(count):
        put(target, i * lanes, source[i] if given else 0.0)


@inner
def _step(job, s):
    """What enters step s, its products, the cell, the new state to where step s + 1 (or the end) looks for it."""
    lanes = lanes_of(job.z)
    t, row = time_of(job, s), state_row(job, s)
    x = at(job.xs, row * job.xs_ld)
    if s + 1 < job.T:
        fetch_rows(x_row(job, job.x, time_of(job, s + 1), 0), job.x_batch, job.samples, job.I)
        fetch_rows(out_row(job, job.out, time_of(job, s + 1), 0), job.out_batch, job.samples, job.P)
    to_lanes(x_row(job, job.x, t, 0), job.x_batch, job.samples, job.I, x, job.xs_ld, 0)
    for g in range(job.B):
        for lane in range(lanes):
            put(x, g * job.xs_ld + job.I * lanes + lane, 1.0)
    if job.resets:
        cut(job, s, at(job.hin, row * job.h_ld), at(job.cin, row * job.c_ld))
    z = at(job.z, token(job, t) * job.z_ld if job.train else 0)
    u = at(job.u, u_row(job, s) * job.z_ld)
    splits = job.splits_gates
    for part in range(1 + splits):  # one call of the product: two would be compiled twice
        first = job.I * part
        K = job.I + 1 - first + (job.P if part == splits else 0)
        out = u if part else z
        product(job.B, at(job.wl, first + part), job.wl_ld, 1, job.gates * job.P, at(x, first * lanes), job.xs_ld, K, 0,
                out, job.z_ld)  # fmt: skip
    call_cell(job.advance, job, s, 0 if job.train else token(job, t), 0, job.blocks)
    going_on = s + 1 < job.T
    new_h = at(job.hin, state_row(job, s + 1) * job.h_ld) if going_on else job.h_end
    new_c = at(job.cin, state_row(job, s + 1) * job.c_ld) if going_on else job.c_end
    to_rows(new_h, job.h_ld, job.samples, job.P, out_row(job, job.out, t, 0), job.out_batch)
    if job.masked:
        for b in range(job.samples):
            multiply(out_row(job, job.mask, t, b), out_row(job, job.out, t, b), job.P)
    if job.has_every:
        for n in range(job.others):
            every = out_row(job, at(job.every, n * job.every_step), t, 0)
            to_rows(at(new_c, n * job.section), job.c_ld, job.samples, job.P, every, job.out_batch)


@inner
def cut(job, s, h, c):
    """Zeros for the samples that are reset before step s: in what enters it, or in the gradient of that."""
    lanes = lanes_of(job.z)
    if boundary(job, s) < job.T:
        for n in range(job.B * lanes):
            if job.reset[boundary(job, s) * job.reset_step + min(n, job.samples - 1)]:
                group, lane = n // lanes, n % lanes
                spread(0, h, job.P, at(h, group * job.h_ld + lane))
                for other in range(job.others):
                    spread(0, c, job.P, at(c, group * job.c_ld + other * job.section + lane))


@inner
def product(groups, a, a_row, a_step, rows, w, w_group, K, adds, out, out_group):
    """out[g, r] = (out[g, r] where `adds`) + sum over k < K of a[r, k] * w[g, k]: see `product_tile`."""
    lanes = lanes_of(w)
    for first in range(0, groups, MOST_GROUPS):
        both = first + 1 < groups
        most = ROWS_OF_2 if both else ROWS_OF_1
        tiles = (rows + most - 1) // most
        small = rows // tiles
        large = rows - small * tiles  # this many tiles have one row more
        here_w, here_out = at(w, first * w_group), at(out, first * out_group)
        row = 0
        for n in range(tiles):
            count = small + (1 if n < large else 0)
            here_a, target = at(a, row * a_row), at(here_out, row * lanes)
            if both:
                product_tile(2, ROWS_OF_2, count, here_a, a_row, a_step, here_w, w_group, K, adds, target, out_group)
            else:
                product_tile(1, ROWS_OF_1, count, here_a, a_row, a_step, here_w, w_group, K, adds, target, out_group)
            row += count
