"""From Python functions to one relocatable object file: Numba types and lowers, LLVM links, optimises and emits.

What the object gives away are plain C functions, and functions that Python calls without Numba: nothing of Numba is
needed to load it. Kernels raise nothing, so the status that a function of Numba's returns is dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.core.compiler_lock import global_compiler_lock

from fastlstm.kernels.frontend import inner
from fastlstm.kernels.machine import Target

_I8P, _I64 = ir.IntType(8).as_pointer(), ir.IntType(64)


@dataclass(frozen=True)
class Export:
    """A function that an object gives away, to C or, where `python` is set, to Python; it returns nothing or an int64.

    python: for each argument n, an int, or a, an array of NumPy, whose address the function gets. The caller answers
    for dtypes and layouts.
    """

    function: Callable[..., Any]
    arguments: tuple[types.Type, ...]
    result: types.Type = types.void
    python: str = ""
    name: str = ""

    @property
    def symbol(self) -> str:
        """By its own name unless it has another."""
        return self.name or self.function.__name__


@dataclass(frozen=True)
class Lowered:
    """LLVM's text of an object that is to be, module by module, and the functions that it gives away."""

    modules: tuple[str, ...]
    functions: tuple[str, ...]


def lower(exports: Sequence[Export], head: int) -> Lowered:
    """All these functions and what they call, by Numba.

    head: bytes of a Python object before an array's first field.
    """
    if config.DISABLE_JIT:
        raise RuntimeError("NUMBA_DISABLE_JIT is set: what is not in the store cannot be compiled")
    libraries: dict[Any, None] = {}
    entries = []
    with global_compiler_lock:
        for export in exports:
            compiled = inner(export.function)
            compiled.compile(export.result(*export.arguments))
            (result,) = compiled.overloads.values()
            entries.append(_entry(export, result, head))
            _collect(result.library, libraries)
        modules = (*(library.get_llvm_str() for library in libraries), *entries)
    return Lowered(modules, tuple(export.symbol for export in exports))


def _collect(library: Any, found: dict[Any, None]) -> None:
    """Put a function's library, and those of all that it calls, into `found`."""
    if library not in found:
        found[library] = None
        for called in getattr(library, "calls", ()):  # Numba's own functions bring theirs inside
            _collect(called, found)


def emit(lowered: Lowered, target: Target) -> tuple[bytes, list[str]]:
    """An object file of them, and the symbols that it needs from the process that loads it. By LLVM alone: another
    thread may lower meanwhile.
    """
    module = binding.parse_assembly("")
    for text in lowered.modules:
        module.link_in(binding.parse_assembly(text))
    for value in (*module.functions, *module.global_variables):
        if value.name not in lowered.functions and not value.is_declaration:
            value.linkage = "internal"
    machine = _machine(target)
    module.triple, module.data_layout = target.triple, str(machine.target_data)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.slp_vectorization = False
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    module.verify()
    made = machine.emit_object(module)
    declared = [function.name for function in module.functions if function.is_declaration]
    needs = _undefined(made)
    if needs is None:
        needs = [name for name in declared if not name.startswith("llvm.")]
    return made, sorted(needs)


def _machine(target: Target) -> Any:
    """As Numba's: code that is loaded at any distance from what it calls."""
    if target.triple != binding.get_process_triple():  # Numba has made this process's own ready
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
    return binding.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3,
        reloc="static" if target.triple.startswith("x86_64") else "default", codemodel="jitdefault", jit=True,
    )  # fmt: skip


def _entry(export: Export, result: Any, head: int) -> str:
    """LLVM's text of a function under the export's name that calls the one that Numba has compiled."""
    context = result.target_context
    module = ir.Module()
    native = context.declare_function(module, result.fndesc)
    kinds = [context.get_value_type(kind) for kind in result.signature.args]
    returned = _I64 if export.result == types.int64 else ir.VoidType()
    name = f"native_{export.symbol}" if export.python else export.symbol
    function = ir.Function(module, ir.FunctionType(returned, kinds), name)
    builder = ir.IRBuilder(function.append_basic_block())
    _, value = context.call_conv.call_function(
        builder, native, result.signature.return_type, result.signature.args, function.args
    )
    if export.result == types.int64:
        builder.ret(value)
    else:
        builder.ret_void()
    if export.python:
        _for_python(module, function, export, head)
    return str(module)


def _for_python(module: ir.Module, function: ir.Function, export: Export, head: int) -> None:
    """PyObject *name(PyObject *ndarray, PyObject *const *args, Py_ssize_t nargs), which METH_FASTCALL describes.

    Its `self` is NumPy's type of arrays: whatever stands for one is asked whether it is one. The address of its numbers
    is the first field of an array, and has been since NumPy 1.0; asking through the buffer protocol costs 0.1 us each.
    """
    _I32, void = ir.IntType(32), ir.VoidType()

    def external(name: str, returned: ir.Type, *kinds: ir.Type) -> ir.Function:
        return ir.Function(module, ir.FunctionType(returned, kinds), name)

    as_int = external("PyLong_AsLongLong", _I64, _I8P)
    occurred, bad_argument = external("PyErr_Occurred", _I8P), external("PyErr_BadArgument", _I32)
    is_subtype = external("PyType_IsSubtype", _I32, _I8P, _I8P)
    leave, enter = external("PyEval_SaveThread", _I8P), external("PyEval_RestoreThread", void, _I8P)
    from_int = external("PyLong_FromLongLong", _I8P, _I64)

    called = ir.Function(module, ir.FunctionType(_I8P, [_I8P, _I8P.as_pointer(), _I64]), export.symbol)
    ndarray, given, count = called.args
    builder = ir.IRBuilder(called.append_basic_block())
    wrong, failed = called.append_basic_block("wrong"), called.append_basic_block("failed")

    def unless(condition: ir.Value, target: ir.Block) -> None:
        following = called.append_basic_block()
        builder.cbranch(condition, following, target)
        builder.position_at_end(following)

    def field(value: ir.Value, offset: int) -> ir.Value:
        place = builder.gep(value, [ir.Constant(_I64, offset)])
        return builder.load(builder.bitcast(place, _I8P.as_pointer()))

    unless(builder.icmp_signed("==", count, ir.Constant(_I64, len(export.python))), wrong)
    values, doubtful = [], ir.Constant(ir.IntType(1), 0)
    for number, kind in enumerate(export.python):
        value = builder.load(builder.gep(given, [ir.Constant(_I64, number)]))
        if kind == "a":
            its_type = field(value, head - 8)
            other = called.append_basic_block()
            following = called.append_basic_block()
            builder.cbranch(builder.icmp_unsigned("==", its_type, ndarray), following, other)
            builder.position_at_end(other)
            answer = builder.call(is_subtype, [its_type, ndarray])
            builder.cbranch(builder.icmp_signed("!=", answer, ir.Constant(_I32, 0)), following, wrong)
            builder.position_at_end(following)
            values.append(builder.ptrtoint(field(value, head), _I64))
        else:
            values.append(builder.call(as_int, [value]))
            doubtful = builder.or_(doubtful, builder.icmp_signed("==", values[-1], ir.Constant(_I64, -1)))
    sure = called.append_basic_block()
    asking = called.append_basic_block()
    builder.cbranch(doubtful, asking, sure)  # -1 is an int as well
    builder.position_at_end(asking)
    none = ir.Constant(_I8P, None)
    builder.cbranch(builder.icmp_unsigned("==", builder.call(occurred, []), none), sure, failed)
    builder.position_at_end(sure)
    state = builder.call(leave, [])
    result = builder.call(function, values)
    builder.call(enter, [state])
    builder.ret(builder.call(from_int, [result if export.result == types.int64 else ir.Constant(_I64, 0)]))
    builder.position_at_end(wrong)
    builder.call(bad_argument, [])
    builder.branch(failed)
    builder.position_at_end(failed)
    builder.ret(none)


def _undefined(made: bytes) -> list[str] | None:
    """The symbols that an ELF object of 64 bits needs from elsewhere; None of another format."""
    if made[:6] != b"\x7fELF\x02\x01":
        return None
    (start,) = struct.unpack_from("<Q", made, 40)
    size, count = struct.unpack_from("<HH", made, 58)
    # of each section: type, offset, length, and the section that it refers to
    sections = [struct.unpack_from("<4xI16xQQI", made, start + size * number) for number in range(count)]
    found = []
    for kind, offset, length, link in sections:
        if kind != 2:  # SHT_SYMTAB
            continue
        text = sections[link][1]
        for place in range(offset + 24, offset + length, 24):  # the first is none
            name, section = struct.unpack_from("<I2xH", made, place)
            if section == 0:
                found.append(made[text + name : made.index(b"\0", text + name)].decode())
    return found
