"""Kernel: the backward of one step as far as the gates. What is behind them are matrix products.

Everything is in torch's order, so that the gradients of the gates can go into anybody's matrix product.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.cells import CELLS
from fastlstm.kernels.jit import Job, at, inner, lanes_of, task, trait
from fastlstm.kernels.lockstep import Group, Lockstep
from fastlstm.kernels.rows import copy, copy_padded
from fastlstm.kernels.step import each_block
from fastlstm.kernels.tokens import share
from fastlstm.kernels.unpacked_few import kept_width

_I64 = ir.IntType(64)


def step_back(job, phase, portion):
    """Kernel: this portion's share of the samples, from the gradients of hn and cn to those of the gates. T is 1.

    Reads B H, kept, h0 c0 grad_hn grad_cn, (B, H) each; writes z, (B, G*H) the gradient of the input products, and u
    likewise that of the recurrent ones where the cell splits its gates; grad_c0; in grad_h0 what reaches the previous h
    past the gates, where the cell passes its state. Works in scratch, a row of `lanes` for each number of a unit.
    """
    here = task(job, 0)
    lanes, G = lanes_of(here.z), trait(job, "GATES")
    H, whole = here.H, here.H // lanes
    first, last = share(here.B, 1, portion, here.threads)
    for b in range(first, last):
        kept, row, gates = at(here.kept, b * kept_width(here)), b * H, b * G * H
        _units(
            here,
            kept,
            at(here.h0, row),
            at(here.c0, row),
            at(here.grad_hn, row),
            at(here.grad_cn, row),
            at(here.z, gates),
            at(here.u, gates),
            at(here.grad_h0, row),
            at(here.grad_c0, row),
            H,
            whole,
        )
        if whole * lanes < H:
            _last_units(here, portion, kept, b, whole * lanes, H - whole * lanes)


@inner
def _last_units(job, portion, kept, b, unit, count):
    """The units from `unit` on, fewer than a vector: in scratch, where there is room for a whole one."""
    lanes, G, H = lanes_of(job.z), trait(job, "GATES"), job.H
    splits = trait(job, "SPLITS_GATES")
    here = at(job.scratch, portion * job.scratch_thread)
    row, gates = b * H + unit, b * G * H + unit
    n = G * (1 + splits)
    for gate in range(n):
        copy_padded(at(kept, gate * H + unit), at(here, gate * lanes), count, lanes)
    h, c, dh, dc = at(here, n * lanes), at(here, (n + 1) * lanes), at(here, (n + 2) * lanes), at(here, (n + 3) * lanes)
    copy_padded(at(job.h0, row), h, count, lanes)
    if trait(job, "CARRIES_CELL"):
        copy_padded(at(job.c0, row), c, count, lanes)
        copy_padded(at(job.grad_cn, row), dc, count, lanes)
    copy_padded(at(job.grad_hn, row), dh, count, lanes)
    z, direct, old_dc = at(here, (n + 4) * lanes), at(here, (2 * n + 4) * lanes), at(here, (2 * n + 5) * lanes)
    u = at(z, G * lanes)
    _units(job, here, h, c, dh, dc, z, u, direct, old_dc, lanes, 1)
    for gate in range(G):
        copy(at(z, gate * lanes), at(job.z, gates + gate * H), count)
        if splits:
            copy(at(u, gate * lanes), at(job.u, gates + gate * H), count)
    if trait(job, "PASSES_STATE"):
        copy(direct, at(job.grad_h0, row), count)
    if trait(job, "CARRIES_CELL"):
        copy(old_dc, at(job.grad_c0, row), count)


@inner
def _units(job, kept, h, c, dh, dc, z, u, direct, old_dc, ld, blocks):
    units_back(job, kept, h, c, dh, dc, z, u, direct, old_dc, ld, blocks)


@intrinsic
def units_back(
    typing_context: Any,
    job: Job,
    kept: types.CPointer,
    h: types.CPointer,
    c: types.CPointer,
    dh: types.CPointer,
    dc: types.CPointer,
    z: types.CPointer,
    u: types.CPointer,
    direct: types.CPointer,
    old_dc: types.CPointer,
    ld: types.Integer,
    blocks: types.Integer,
):
    """The gradients of `blocks` vectors of units of one sample; gates lie `ld` apart.

    kept: the gates, and behind them u where the cell SPLITS_GATES. h, c: the previous state; dh, dc: gradients of the
    new one. Writes z and u, the gradients of the input and the recurrent products; direct, where PASSES_STATE, that of
    h past the gates; old_dc, that of c. Nothing overlaps.
    """
    cell = CELLS[job.cell]
    G = cell.GATES

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, kept, h, c, dh, dc, z, u, direct, old_dc, ld, blocks = args

        def places(pointer: ir.Value, first: int) -> list[ir.Value]:
            return [builder.gep(pointer, [builder.mul(ld, ir.Constant(_I64, first + gate))]) for gate in range(G)]

        saved_at, z_at = places(kept, 0), places(z, 0)
        kept_u_at, u_at = (places(kept, G), places(u, 0)) if cell.SPLITS_GATES else ([], [])

        def advance(math: Lockstep, block: ir.Value) -> None:
            def load(pointers: list[ir.Value]) -> list[Group]:
                return [math.load(pointer, block) for pointer in pointers]

            old_h = math.load(h, block) if cell.PASSES_STATE else None
            old_c, new_dc = (math.load(c, block), math.load(dc, block)) if cell.CARRIES_CELL else (None, None)
            u_values = load(kept_u_at) if cell.SPLITS_GATES else None
            dx, du, dh_value, dc_value = cell.backward(
                math, load(saved_at), u_values, old_h, old_c, math.load(dh, block), new_dc
            )
            for group, pointer in zip(dx, z_at, strict=True):
                math.store(group, pointer, block)
            if cell.SPLITS_GATES:
                for group, pointer in zip(du, u_at, strict=True):
                    math.store(group, pointer, block)
            if cell.PASSES_STATE:
                math.store(dh_value, direct, block)
            if cell.CARRIES_CELL:
                math.store(dc_value, old_dc, block)

        each_block(builder, str(job.dtype), blocks, advance)
        return context.get_dummy_value()

    real, n = kept, types.int64
    return types.void(job, real, real, real, real, real, real, real, real, real, n, n), emit
