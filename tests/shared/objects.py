"""Object files made without Numba, and a compiler that gives them away, for tests of the store."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from llvmlite import binding, ir

from fastlstm.compiled.file import Code
from fastlstm.compiled.made import Unit
from fastlstm.compiled.store import Store

UNIT = Unit("answers", "float32", "A cell/of ../ä's own-0123")


def emitted(value: int = 42, calls: str | None = None) -> Code:
    """An object with one function, `int64_t answer()`, emitted without Numba."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = ir.Module()
    module.triple = binding.get_process_triple()
    kind = ir.FunctionType(ir.IntType(64), [])
    builder = ir.IRBuilder(ir.Function(module, kind, "answer").append_basic_block())
    if calls:
        builder.call(ir.Function(module, kind, calls), [])
    builder.ret(ir.Constant(ir.IntType(64), value))
    machine = binding.Target.from_triple(module.triple).create_target_machine(codemodel="jitdefault", jit=True)
    object_file = machine.emit_object(binding.parse_assembly(str(module)))
    return Code(object_file, ("answer",), (calls,) if calls else ())


class Compiler:
    """Counts how often something is compiled."""

    def __init__(self, value: int = 42, calls: str | None = None) -> None:
        self.asked = 0
        self.code = emitted(value, calls)

    def __call__(self, units: Sequence[Unit]) -> list[Code]:
        self.asked += len(units)
        return [self.code] * len(units)


def answer(store: Store, unit: Unit = UNIT) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64)(store.addresses(unit)["answer"])()
