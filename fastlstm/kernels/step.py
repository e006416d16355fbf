"""Some units of one sample through one step of a cell: the cell's equations traced into vector IR."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels import cardstep
from fastlstm.kernels.cards import Card, cell_of
from fastlstm.kernels.coarse import Coarse
from fastlstm.kernels.jit import Job
from fastlstm.kernels.lockstep import Lockstep
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter

_I64 = ir.IntType(64)


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
    e: types.CPointer,
    units: types.CPointer,
    es: types.CPointer,
    section: types.Integer,
    blocks: types.Integer,
    count: types.Integer,
):
    """Advance `blocks` blocks of units.

    z: (blocks, G, lanes) what enters the gates, replaced by what backward needs. u: (blocks, G, lanes) recurrent
    products where the cell SPLITS_GATES, else not read. h, c: (blocks, lanes) previous state; new_h, new_c: (blocks,
    lanes) written. No aliasing, except that c may be new_c. Lanes behind the last unit may hold anything (inf * 0 is
    NaN): nobody reads them across.

    A user's cell has its other states in c and new_c, its unit parameters in `units` and its step inputs in es,
    `section` elements apart, and stores what finds no room in z and u in e: (blocks, EXTRA, lanes). There are `count`
    units. u has the products of the step's own too, each group of gates by itself (`pack.group`).
    """
    cell = cell_of(job.cell)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, z, u, h, c, new_h, new_c, e, units, es, section, blocks, count = args
        if isinstance(cell, Card):
            rows = cardstep.Pointers(z, u, h, c, e, units, es, section, blocks, count)
            vectors = Emitter(builder, host(), str(job.dtype))
            cardstep.forward(vectors, partial(each_block, builder, str(job.dtype)), cell, rows, new_h, new_c)
            return context.get_dummy_value()

        def advance(math: Lockstep, block: ir.Value) -> None:
            x_values = math.load_gates(z, cell.GATES, block)
            u_values = math.load_gates(u, cell.GATES, block) if cell.SPLITS_GATES else None
            old_h = math.load(h, block) if cell.PASSES_STATE else None
            old_c = math.load(c, block) if cell.CARRIES_CELL else None
            saved, h_value, c_value = cell.forward(math, x_values, u_values, old_h, old_c)
            math.store_gates(saved, z, block)
            math.store(h_value, new_h, block)
            if cell.CARRIES_CELL:
                math.store(c_value, new_c, block)

        vectors = (Coarse if job.coarse else Emitter)(builder, host(), str(job.dtype))
        _each_block(vectors, 3, blocks, advance)
        return context.get_dummy_value()

    n = types.int64
    return types.void(job, z, u, h, c, new_h, new_c, e, units, es, n, n, n), emit


@intrinsic
def step_value(
    typing_context: Any,
    job: Job,
    stage: types.Integer,
    z: types.CPointer,
    u: types.CPointer,
    h: types.CPointer,
    c: types.CPointer,
    units: types.CPointer,
    es: types.CPointer,
    section: types.Integer,
    blocks: types.Integer,
    count: types.Integer,
    target: types.CPointer,
):
    """What a user's step multiplies with W_hh in a stage, (blocks, lanes) to `target`; arrays as in `step_forward`, u
    has the products made so far.
    """
    cell = cell_of(job.cell)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, stage, z, u, h, c, units, es, section, blocks, count, target = args
        rows = cardstep.Pointers(z, u, h, c, z, units, es, section, blocks, count)
        for number in range(cell.STAGES):
            with builder.if_then(builder.icmp_signed("==", stage, ir.Constant(_I64, number))):
                vectors = Emitter(builder, host(), str(job.dtype))
                cardstep.value(vectors, partial(each_block, builder, str(job.dtype)), cell, rows, number, target)
        return context.get_dummy_value()

    n = types.int64
    return types.void(job, n, z, u, h, c, units, es, n, n, n, target), emit


@intrinsic
def step_slopes(
    typing_context: Any,
    job: Job,
    stage: types.Integer,
    z: types.CPointer,
    u: types.CPointer,
    h: types.CPointer,
    c: types.CPointer,
    dh: types.CPointer,
    dc: types.CPointer,
    e: types.CPointer,
    units: types.CPointer,
    es: types.CPointer,
    section: types.Integer,
    blocks: types.Integer,
    count: types.Integer,
    p: types.CPointer,
    p_stage: types.Integer,
):
    """The gradients of the products of a stage into u. Arrays as in `step_backward`; p: the gradients of what was
    multiplied in the later stages.
    """
    cell = cell_of(job.cell)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, stage, z, u, h, c, dh, dc, e, units, es, section, blocks, count, p, p_stage = args
        rows = cardstep.Pointers(z, u, h, c, e, units, es, section, blocks, count, p, p_stage, dh, dc)
        for number in range(cell.STAGES):
            with builder.if_then(builder.icmp_signed("==", stage, ir.Constant(_I64, number))):
                vectors = Emitter(builder, host(), str(job.dtype))
                cardstep.slopes(vectors, partial(each_block, builder, str(job.dtype)), cell, rows, number)
        return context.get_dummy_value()

    n = types.int64
    return types.void(job, n, z, u, h, c, dh, dc, e, units, es, n, n, n, p, n), emit


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
    e: types.CPointer,
    units: types.CPointer,
    es: types.CPointer,
    d_units: types.CPointer,
    d_es: types.CPointer,
    section: types.Integer,
    blocks: types.Integer,
    count: types.Integer,
    p: types.CPointer,
    p_stage: types.Integer,
):
    """The gradients of `blocks` blocks of units, in the layouts of `step_forward`.

    z: what forward saved, replaced by the gradient of the input products; u: where SPLITS_GATES, the recurrent
    products, replaced by their gradient. dh: gradient of the new h. direct: where PASSES_STATE, receives the gradient
    of the previous h past the gates (may be dh). dc: gradient of the new c, replaced by that of the previous. Lanes of
    z and u from `count` on become zero: the next product reads them all, and NaN times a zero weight would spread. The
    gradients of a user's cell's unit parameters and step inputs are added to d_units and d_es. p: the gradients of what
    the step itself multiplied, (blocks, lanes), `p_stage` apart.
    """
    cell = cell_of(job.cell)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, z, u, h, c, dh, direct, dc, e, units, es, d_units, d_es, section, blocks, count, p, p_stage = args
        if isinstance(cell, Card):
            rows = cardstep.Pointers(z, u, h, c, e, units, es, section, blocks, count, p, p_stage, dh, dc)
            vectors = Emitter(builder, host(), str(job.dtype))
            walk = partial(each_block, builder, str(job.dtype))
            cardstep.backward(vectors, walk, cell, rows, direct, d_units, d_es)
            return context.get_dummy_value()

        def advance(math: Lockstep, block: ir.Value) -> None:
            saved = math.load_gates(z, cell.GATES, block)
            u_values = math.load_gates(u, cell.GATES, block) if cell.SPLITS_GATES else None
            old_h = math.load(h, block) if cell.PASSES_STATE else None
            old_c = math.load(c, block) if cell.CARRIES_CELL else None
            old_dc = math.load(dc, block) if cell.CARRIES_CELL else None
            dx, du, dh_value, dc_value = cell.backward(
                math, saved, u_values, old_h, old_c, math.load(dh, block), old_dc
            )
            math.store_gates([math.first_units(value, block, count) for value in dx], z, block)
            if cell.SPLITS_GATES:
                math.store_gates([math.first_units(value, block, count) for value in du], u, block)
            if cell.PASSES_STATE:
                math.store(dh_value, direct, block)
            if cell.CARRIES_CELL:
                math.store(dc_value, dc, block)

        each_block(builder, str(job.dtype), blocks, advance)
        return context.get_dummy_value()

    n = types.int64
    return types.void(job, z, u, h, c, dh, direct, dc, e, units, es, d_units, d_es, n, n, n, p, n), emit


def each_block(
    builder: ir.IRBuilder, dtype: str, blocks: ir.Value, advance: Callable[[Lockstep, ir.Value], None]
) -> None:
    """Two blocks at a time, then the one that may be left."""
    _each_block(Emitter(builder, host(), dtype), 2, blocks, advance)


def _each_block(vectors: Emitter, most: int, blocks: ir.Value, advance: Callable[[Lockstep, ir.Value], None]) -> None:
    """`most` blocks at a time, then one by one.

    The chain of dependent instructions through a cell is longer than a core looks ahead: two blocks whose chains lie
    side by side take two thirds of the time. Forward, three take another sixth less; backward they want more registers
    than there are.
    """
    builder = vectors.builder
    zero, one, several = (ir.Constant(_I64, number) for number in (0, 1, most))
    whole = builder.sub(blocks, builder.srem(blocks, several))
    with cgutils.for_range_slice(builder, zero, whole, several, inc=True) as (block, _):
        advance(Lockstep(vectors, most), block)
    with cgutils.for_range_slice(builder, whole, blocks, one, inc=True) as (block, _):
        advance(Lockstep(vectors, 1), block)
