"""One vector of units through one step of a cell: the cell's equations traced into vector IR."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.cells import CELLS
from fastlstm.kernels.jit import Job
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter, Vector


@intrinsic
def step_forward(
    typing_context: Any,
    job: Job,
    z: types.CPointer,
    u: types.CPointer,
    h: types.CPointer,
    c: types.CPointer,
    new_h: types.CPointer,
    new_c: types.CPointer,
    count: types.Integer,
):
    """Advance the first `count` lanes of one block of units.

    z: (G, lanes) what enters the gates, replaced by what backward needs. u: (G, lanes) recurrent products where the
    cell SPLITS_GATES, else not read. h, c: (lanes,) previous state; new_h, new_c: (lanes,) written. Lanes from `count`
    on are written, from zeros. No aliasing, except that c may be new_c.
    """
    cell = CELLS[job.cell]

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, z, u, h, c, new_h, new_c, count = args
        math = Emitter(builder, host(), str(job.dtype))
        x_values = _gates(math, cell.GATES, z, count)
        u_values = _gates(math, cell.GATES, u, count) if cell.SPLITS_GATES else None
        old_h = math.load(h) if cell.PASSES_STATE else None
        old_c = math.load(c) if cell.CARRIES_CELL else None
        saved, h_value, c_value = cell.forward(math, x_values, u_values, old_h, old_c)
        _store_gates(math, saved, z)
        math.store(h_value, new_h)
        if cell.CARRIES_CELL:
            math.store(c_value, new_c)
        return context.get_dummy_value()

    return types.void(job, z, u, h, c, new_h, new_c, types.int64), emit


@intrinsic
def step_backward(
    typing_context: Any,
    job: Job,
    z: types.CPointer,
    u: types.CPointer,
    h: types.CPointer,
    c: types.CPointer,
    dh: types.CPointer,
    direct: types.CPointer,
    dc: types.CPointer,
    count: types.Integer,
):
    """The gradients of one block of units, in the layouts of `step_forward`.

    z: what forward saved, replaced by the gradient of the input products; u: where SPLITS_GATES, the recurrent
    products, replaced by their gradient. dh: gradient of the new h. direct: where PASSES_STATE, receives the gradient
    of the previous h past the gates (may be dh). dc: gradient of the new c, replaced by that of the previous. Lanes of
    z and u from `count` on become zero.
    """
    cell = CELLS[job.cell]

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, z, u, h, c, dh, direct, dc, count = args
        math = Emitter(builder, host(), str(job.dtype))
        saved = [math.load(z, g * math.lanes) for g in range(cell.GATES)]
        u_values = [math.load(u, g * math.lanes) for g in range(cell.GATES)] if cell.SPLITS_GATES else None
        old_h = math.load(h) if cell.PASSES_STATE else None
        old_c = math.load(c) if cell.CARRIES_CELL else None
        old_dc = math.load(dc) if cell.CARRIES_CELL else None
        dx, du, dh_value, dc_value = cell.backward(math, saved, u_values, old_h, old_c, math.load(dh), old_dc)
        _store_gates(math, [math.first_lanes(value, count) for value in dx], z)
        if cell.SPLITS_GATES:
            _store_gates(math, [math.first_lanes(value, count) for value in du], u)
        if cell.PASSES_STATE:
            math.store(dh_value, direct)
        if cell.CARRIES_CELL:
            math.store(dc_value, dc)
        return context.get_dummy_value()

    return types.void(job, z, u, h, c, dh, direct, dc, types.int64), emit


def _gates(math: Emitter, gates: int, pointer: ir.Value, count: ir.Value) -> list[Vector]:
    # Padding is zeroed here: an infinite input makes it inf * 0 = NaN, which the next product would spread.
    return [math.first_lanes(math.load(pointer, g * math.lanes), count) for g in range(gates)]


def _store_gates(math: Emitter, values: Any, pointer: ir.Value) -> None:
    for g, value in enumerate(values):
        math.store(value, pointer, g * math.lanes)
