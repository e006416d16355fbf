"""A step that multiplies with W_hh itself, `u.n(r * h)`: the cell's kernels, stage by stage.

A stage is a value of the step, for all units of a sample, and its product; a stage needs those before. The gates that
meet one value stand together in a row of u and in the panels (`pack.group`), the state's first.
"""

import numpy as np

from fastlstm.kernels.advance import new_states, old_gradients
from fastlstm.kernels.jit import at, inner, lanes_of, trait
from fastlstm.kernels.pack import group
from fastlstm.kernels.product import panel_width, product, product_of_state
from fastlstm.kernels.step import step_slopes, step_value
from fastlstm.kernels.tokens import es_row, samples, samples_at, state_row, time_of, token


def advance_in_stages(job, s, origin, first, last):
    """Kernel: `advance` for a step with products of its own; all units at once. The products stand in p."""
    t = time_of(job, s)
    count = samples(job, t)
    row, z_row = state_row(job, s), token(job, t) - origin
    v_row = token(job, t) if job.train else 0
    v = at(job.hin, row * job.h_ld)
    for value in range(trait(job, "STAGES") + 1):
        if value > 0:
            v = at(job.v0 if value == 1 else job.v1, v_row * job.h_ld)
            _values(job, value - 1, row, z_row, t, count, last, v)
        if value > 0 or trait(job, "READS_STATE"):
            _product(job, np.int64(value), v, count)
    new_states(job, s, origin, first, last)


def retreat_in_stages(job, s, origin, first, last):
    """Kernel: `retreat` for a step with products of its own: the last stage first, that of the state at the end."""
    W, rows = panel_width(job.z), trait(job, "GATES") * lanes_of(job.z) * job.blocks
    t, count = time_of(job, s), samples_at(job, s)
    row = token(job, t)
    for number in range(trait(job, "STAGES")):
        stage = trait(job, "STAGES") - 1 - number
        _slopes(job, stage, row, t, count, last)
        _product_back(job, stage + 1, row, count, job.wh_t, 0, (1 + rows) * W, at(job.p, stage * job.p_stage))
    old_gradients(job, s, first, last)
    if trait(job, "READS_STATE"):
        _product_back(job, np.int64(0), row, count, job.dh, job.h_ld, W, job.dh)


@inner
def _values(job, stage, row, z_row, t, count, blocks, v):
    """v = what the step multiplies in this stage."""
    for b in range(count):
        step_value(
            job,
            stage,
            at(job.z, (z_row + b) * job.z_ld),
            at(job.p, b * job.z_ld),
            at(job.hin, (row + b) * job.h_ld),
            at(job.cin, (row + b) * job.c_ld),
            job.units,
            es_row(job, job.es, t, b),
            job.section,
            blocks,
            job.H,
            at(v, b * job.h_ld),
        )


@inner
def _product(job, value, v, count):
    """p = v W_hh' + b_hh for `count` rows, the gates that meet this value."""
    W, panel = panel_width(v), job.wh_panel
    first, rows = group(job, value)
    product_of_state(
        job, v, job.h_ld, 1, count, job.P, at(job.wh, W), panel, first // W, (first + rows) // W, job.wh, 0, panel,
        job.p, job.z_ld,
    )  # fmt: skip


@inner
def _slopes(job, stage, row, t, count, blocks):
    """The gradients of a stage's products, to u."""
    for b in range(count):
        step_slopes(
            job,
            stage,
            at(job.z, (row + b) * job.z_ld),
            at(job.u, (row + b) * job.z_ld),
            at(job.hin, (row + b) * job.h_ld),
            at(job.cin, (row + b) * job.c_ld),
            at(job.dh, b * job.h_ld),
            at(job.dc, b * job.c_ld),
            at(job.e, (row + b) * job.e_ld),
            job.units_back,
            es_row(job, job.es, t, b),
            job.section,
            blocks,
            job.H,
            at(job.p, b * job.h_ld),
            job.p_stage,
        )


@inner
def _product_back(job, value, row, count, start, start_row, start_panel, out):
    """out = start + u W_hh, of the gates that meet this value."""
    W = panel_width(out)
    first, rows = group(job, value)
    panel, panels = (1 + trait(job, "GATES") * lanes_of(out) * job.blocks) * W, (job.P + W - 1) // W
    product(
        job, at(job.u, row * job.z_ld + first), job.z_ld, 1, count, rows, at(job.wh_t, (1 + first) * W), panel, 0,
        panels, start, start_row, start_panel, out, job.h_ld,
    )  # fmt: skip
