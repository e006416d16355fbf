"""A step that multiplies with W_hh itself, `u.n(r * h)`: the cell's kernels, stage by stage.

A stage is a value of the step, for all units of a sample, and its product; a stage needs those before. The rows of all
gates are multiplied in each, though it needs some of them: twice the arithmetic, but the panels of other cells.
"""

import numpy as np

from fastlstm.kernels.advance import new_states, old_gradients, u_row
from fastlstm.kernels.jit import at, inner, lanes_of, trait
from fastlstm.kernels.product import panel_width, product, product_of_state
from fastlstm.kernels.step import step_slopes, step_value
from fastlstm.kernels.tokens import es_row, samples, samples_at, state_row, time_of, token


def advance_in_stages(job, s, origin, first, last):
    """Kernel: `advance` for a step with products of its own; all units at once."""
    t = time_of(job, s)
    count = samples(job, t)
    row, z_row, first_u = state_row(job, s), token(job, t) - origin, u_row(job, s)
    v_row = token(job, t) if job.train else 0
    for stage in range(trait(job, "STAGES")):
        v = at(job.v0 if stage == 0 else job.v1, v_row * job.h_ld)
        for b in range(count):
            step_value(
                job,
                stage,
                at(job.z, (z_row + b) * job.z_ld),
                at(job.u, (first_u + b) * job.z_ld),
                at(job.hin, (row + b) * job.h_ld),
                at(job.cin, (row + b) * job.c_ld),
                job.units,
                es_row(job, job.es, t, b),
                job.section,
                last,
                job.H,
                at(job.p, b * job.z_ld),
                job.p_stage,
                at(v, b * job.h_ld),
            )
        _product(job, v, count, at(job.p, stage * job.p_stage))
    new_states(job, s, origin, first, last)


def retreat_in_stages(job, s, origin, first, last):
    """Kernel: `retreat` for a step with products of its own: the last stage first, that of the state at the end."""
    W = panel_width(job.z)
    t, count = time_of(job, s), samples_at(job, s)
    K = trait(job, "GATES") * lanes_of(job.z) * job.blocks
    for number in range(trait(job, "STAGES")):
        stage = trait(job, "STAGES") - 1 - number
        _slopes(job, stage, t, count, last)
        _product_back(job, count, job.wh_t, 0, (1 + K) * W, at(job.p, stage * job.p_stage))
    old_gradients(job, s, first, last)
    if trait(job, "MULTIPLIES_STATE"):
        _slopes(job, np.int64(-1), t, count, last)
        _product_back(job, count, job.dh, job.h_ld, W, job.dh)


@inner
def _product(job, v, count, out):
    """out = v W_hh' + b_hh for `count` rows, all gates."""
    W = panel_width(v)
    panel, panels = job.wh_panel, trait(job, "GATES") * lanes_of(v) * job.blocks // W
    product_of_state(
        job, v, job.h_ld, 1, count, job.P, at(job.wh, W), panel, 0, panels, job.wh, 0, panel, out, job.z_ld
    )  # fmt: skip


@inner
def _slopes(job, stage, t, count, last):
    """q, and of a stage u: gradients of its products."""
    row = token(job, t)
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
            last,
            job.H,
            at(job.p, b * job.h_ld),
            job.p_stage,
            at(job.q, b * job.z_ld),
        )


@inner
def _product_back(job, count, start, start_row, start_panel, out):
    """out = start + q W_hh."""
    W = panel_width(out)
    K = trait(job, "GATES") * lanes_of(out) * job.blocks
    panel, panels = (1 + K) * W, (job.P + W - 1) // W
    wh_t = at(job.wh_t, W)
    product(
        job, job.q, job.z_ld, 1, count, K, wh_t, panel, 0, panels, start, start_row, start_panel, out, job.h_ld
    )  # fmt: skip
