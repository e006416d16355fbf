"""Threads inside compiled code: atomics, waiting for a word, calls by address."""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import inner
from fastlstm.kernels.machine import Machine, host

_I32, _I64 = ir.IntType(32), ir.IntType(64)

# A waiting thread spins for about 20 us, then yields the processor for about as long, then naps. Spinning on with more
# threads than cores is 80 times slower than yielding (measured by llama.cpp). Yielding on is not enough: two threads
# that take turns on one core, as a new worker and its starter do, look busy to Linux and stay there for 10 ms and
# more; one that wakes from a nap is put on an idle core. 1875 steps of H = 128: 31 ms without the nap, 6 ms with it.
SPINS, YIELDS = 500, 64

if sys.platform == "win32":
    NAP = 1  # ms
    yield_processor = types.ExternalFunction("SwitchToThread", types.int32())
    nap = types.ExternalFunction("Sleep", types.int32(types.uint32))
else:
    NAP = 20  # us
    yield_processor = types.ExternalFunction("sched_yield", types.int32())
    nap = types.ExternalFunction("usleep", types.int32(types.uint32))


@intrinsic
def words_at(typing_context: Any, address: types.Integer):
    """The int64 words at an address."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.inttoptr(args[0], _I64.as_pointer())

    return types.CPointer(types.int64)(types.int64), emit


@intrinsic
def atomic_load(typing_context: Any, pointer: types.CPointer, index: types.Integer):
    """Sequentially consistent load of `pointer[index]` (int64)."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.load_atomic(builder.gep(args[0], [args[1]]), "seq_cst", 8)

    return types.int64(pointer, types.int64), emit


@intrinsic
def atomic_store(typing_context: Any, pointer: types.CPointer, index: types.Integer, value: types.Integer):
    """Sequentially consistent store to `pointer[index]` (int64)."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        builder.store_atomic(args[2], builder.gep(args[0], [args[1]]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, types.int64), emit


@intrinsic
def atomic_add(typing_context: Any, pointer: types.CPointer, index: types.Integer, value: types.Integer):
    """Add to `pointer[index]` (int64), returning what it held before."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.atomic_rmw("add", builder.gep(args[0], [args[1]]), args[2], "seq_cst")

    return types.int64(pointer, types.int64, types.int64), emit


@intrinsic
def compare_exchange(
    typing_context: Any, pointer: types.CPointer, index: types.Integer, expected: types.Integer, value: types.Integer
):
    """Store `value` if `pointer[index]` (int64) holds `expected`; whether it did."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        place = builder.gep(args[0], [args[1]])
        return builder.extract_value(builder.cmpxchg(place, args[2], args[3], "seq_cst", "seq_cst"), 1)

    return types.boolean(pointer, types.int64, types.int64, types.int64), emit


@intrinsic
def pause(typing_context: Any):
    """Tell the core that this is a spinning loop."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        emit_pause(builder, host())
        return context.get_dummy_value()

    return types.void(), emit


def emit_pause(builder: ir.IRBuilder, machine: Machine) -> None:
    """The instruction of a spinning loop, where the machine has one."""
    if machine.name == "neon":
        hint = builder.module.declare_intrinsic("llvm.aarch64.hint", (), ir.FunctionType(ir.VoidType(), [_I32]))
        builder.call(hint, [ir.Constant(_I32, 1)])
    elif machine.name != "scalar":
        name = "llvm.x86.sse2.pause"
        builder.call(builder.module.declare_intrinsic(name, (), ir.FunctionType(ir.VoidType(), [])), [])


@intrinsic
def call_kernel(
    typing_context: Any, address: types.Integer, job: types.CPointer, phase: types.Integer, portion: types.Integer
):
    """Call the kernel at `address`: void f(int64_t *job, int64_t phase, int64_t portion)."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_I64.as_pointer(), _I64, _I64])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, job, types.int64, types.int64), emit


@inner
def wait_until(word, value):
    """Return when `word[0]` is at least `value`; spins, then yields the processor, then naps."""
    spins = 0
    while atomic_load(word, 0) < value:
        spins += 1
        if spins < SPINS:
            pause()
        elif spins < SPINS + YIELDS:
            yield_processor()
        else:
            nap(NAP)
