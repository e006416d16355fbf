"""A step of a cell for all samples, forward and backward: the two kernels that are compiled for each cell.

All others are one for all cells, and call these at the addresses that the job block holds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import Job, at, inner, lanes_of, trait
from fastlstm.kernels.step import step_backward, step_forward
from fastlstm.kernels.tokens import es_row, samples, samples_at, state_row, time_of, token


def advance(job, s, origin, first, last):
    """Kernel: see `new_states`."""
    new_states(job, s, origin, first, last)


def retreat(job, s, origin, first, last):
    """Kernel: see `old_gradients`. origin is not read."""
    old_gradients(job, s, first, last)


@inner
def new_states(job, s, origin, first, last):
    """The cell for every sample of step s, the units of blocks first..last-1, whose products are in z and u.

    The new state goes to where step s + 1, or the end, looks for it. origin: the token in the first row of z.
    """
    lanes = lanes_of(job.z)
    gates, n = trait(job, "GATES") * lanes, first * lanes
    t = time_of(job, s)
    count = samples(job, t)
    going_on = min(count, samples_at(job, s + 1))
    row, z_row, first_u = state_row(job, s), token(job, t) - origin, u_row(job, s)
    u = job.p if trait(job, "STAGES") else job.u
    next_row = state_row(job, s + 1) if going_on else 0
    m_row = token(job, t) if job.train else 0  # of m and e
    for b in range(count):
        goes_on = b < going_on
        new_h = at(job.hin, (next_row + b) * job.h_ld) if goes_on else at(job.h_end, b * job.h_ld)
        new_c = at(job.cin, (next_row + b) * job.c_ld) if goes_on else at(job.c_end, b * job.c_ld)
        if job.projected:
            new_h = at(job.m, (m_row + b) * job.c_ld)
        step_forward(
            job,
            at(job.z, (z_row + b) * job.z_ld + first * gates),
            at(u, (first_u + b) * job.z_ld + first * gates),
            at(job.hin, (row + b) * job.h_ld + n),
            at(job.cin, (row + b) * job.c_ld + n),
            at(new_h, n),
            at(new_c, n),
            at(job.e, (m_row + b) * job.e_ld + first * trait(job, "EXTRA") * lanes),
            at(job.units, n),
            at(es_row(job, job.es, t, b), n),
            job.section,
            last - first,
            job.H - n,
        )


@inner
def old_gradients(job, s, first, last):
    """The cell's gradient for every sample of step s, the units of blocks first..last-1.

    z (and u) become the gradients of the gates' products; dh and dc hold those of the new state, then of the previous.
    """
    lanes = lanes_of(job.z)
    gates, n = trait(job, "GATES") * lanes, first * lanes
    t = time_of(job, s)
    row = token(job, t)
    for b in range(samples_at(job, s)):
        direct = at(job.dh, b * job.h_ld)
        dh = at(job.dm, b * job.c_ld) if job.projected else direct
        step_backward(
            job,
            at(job.z, (row + b) * job.z_ld + first * gates),
            at(job.u, (row + b) * job.z_ld + first * gates),
            at(job.hin, (row + b) * job.h_ld + n),
            at(job.cin, (row + b) * job.c_ld + n),
            at(dh, n),
            at(direct, n),
            at(job.dc, b * job.c_ld + n),
            at(job.e, (row + b) * job.e_ld + first * trait(job, "EXTRA") * lanes),
            at(job.units_back, n),
            at(es_row(job, job.es, t, b), n),
            at(job.d_units, n),
            at(es_row(job, job.d_es, t, b), n),
            job.section,
            last - first,
            job.H - n,
            at(job.p, b * job.h_ld),
            job.p_stage,
        )


@inner
def u_row(job, s):
    """The row with the recurrent products of the s-th processed step: of u, or of p where there are stages."""
    return token(job, time_of(job, s)) if job.train and job.splits_gates and not job.stages else 0


@intrinsic
def call_cell(
    typing_context: Any,
    address: types.Integer,
    job: Job,
    s: types.Integer,
    origin: types.Integer,
    first: types.Integer,
    last: types.Integer,
):
    """Call `advance` or `retreat` at `address`."""
    n = types.int64

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [arg.type for arg in args[1:]])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(n, job, n, n, n, n), emit
