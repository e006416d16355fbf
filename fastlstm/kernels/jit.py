"""The type of a job, and the pointer operations that kernels are written with.

A kernel is an ordinary function of `(job, phase, portion)`. A job is a block of 64-bit slots: sizes, strides and
addresses. Its Numba type carries the cell and the dtype, so one source serves every cell and dtype, each compiled by
its signature.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic, models, register_model
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr

from fastlstm.kernels.cards import trait_of
from fastlstm.kernels.frontend import inner as inner  # kernels have all of this from here
from fastlstm.kernels.job import SLOT_KINDS, SLOTS
from fastlstm.kernels.machine import host


def job_type(cell: str, dtype: np.dtype, coarse: bool = False) -> Job:
    """The job type that a kernel for this cell and dtype is compiled with; `coarse`: with functions of `Coarse`."""
    return Job(cell, numba.from_dtype(np.dtype(dtype)), coarse)


class Job(types.Type):
    """A pointer to a job block, for one cell and dtype."""

    def __init__(self, cell: str, dtype: types.Type, coarse: bool) -> None:
        self.cell = cell
        self.dtype = dtype
        self.coarse = coarse
        super().__init__(name=f"Job({cell}, {dtype}{', coarse' if coarse else ''})")


@register_model(Job)
class _JobModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Job) -> None:
        super().__init__(dmm, fe_type, ir.IntType(64).as_pointer())


def _slot_type(job: Job, kind: str) -> types.Type:
    return {
        "int": types.int64,
        "job": job,
        "real*": types.CPointer(job.dtype),
        "int*": types.CPointer(types.int64),
        "byte*": types.CPointer(types.uint8),
    }[kind]


@infer_getattr
class _JobFields(AttributeTemplate):
    key = Job

    def generic_resolve(self, job: Job, attr: str) -> types.Type | None:
        return _slot_type(job, SLOT_KINDS[attr]) if attr in SLOTS else None


@lower_getattr_generic(Job)
def _load_slot(context: Any, builder: ir.IRBuilder, job: Job, value: ir.Value, attr: str) -> ir.Value:
    slot = builder.load(builder.gep(value, [ir.Constant(ir.IntType(64), SLOTS[attr])]))
    kind = _slot_type(job, SLOT_KINDS[attr])
    if kind == types.int64:
        return slot
    # The only inttoptr: from here on addresses move by GEP (integer arithmetic on addresses can be miscompiled in
    # unrolled loops, numba issue 10695).
    return builder.inttoptr(slot, context.get_value_type(kind))


@intrinsic
def at(typing_context: Any, pointer: types.CPointer, index: types.Integer):
    """The pointer `index` elements further."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.gep(args[0], [context.cast(builder, args[1], signature.args[1], types.int64)])

    return pointer(pointer, index), emit


@intrinsic
def put(typing_context: Any, pointer: types.CPointer, index: types.Integer, value: Any):
    """Store `value` at `pointer[index]`."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        target, _, value_type = signature.args
        place = builder.gep(args[0], [context.cast(builder, args[1], signature.args[1], types.int64)])
        builder.store(context.cast(builder, args[2], value_type, target.dtype), place)
        return context.get_dummy_value()

    return types.void(pointer, index, value), emit


def lane_count(dtype: types.Type) -> int:
    """Lanes of one vector of a Numba dtype on this machine."""
    return host().lanes(np.dtype(str(dtype)))


@intrinsic
def lanes_of(typing_context: Any, pointer: types.CPointer):
    """How many elements of the pointer's dtype one vector holds, as a compile-time constant."""
    count = lane_count(pointer.dtype)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return ir.Constant(ir.IntType(64), count)

    return types.int64(pointer), emit


@intrinsic
def task(typing_context: Any, job: Job, number: types.Integer):
    """The job block `number` blocks further."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.gep(args[0], [builder.mul(args[1], ir.Constant(ir.IntType(64), len(SLOTS)))])

    return job(job, types.int64), emit


@intrinsic(prefer_literal=True)
def trait(typing_context: Any, job: Job, name: types.StringLiteral):
    """An integer that the job's cell states about itself (`cards.py` lists them), as a compile-time constant."""
    if not isinstance(name, types.StringLiteral):
        return None
    value = trait_of(job.cell, name.literal_value)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return ir.Constant(ir.IntType(64), value)

    return types.int64(job, name), emit
