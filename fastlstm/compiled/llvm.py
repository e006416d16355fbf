"""Object files become functions by LLVM's loader."""

from __future__ import annotations

import ctypes

from llvmlite import binding

from fastlstm.compiled.file import Code, Unusable

# What code that Python calls needs of it. Where an interpreter shows its symbols to no one, LLVM is told of them.
_PYTHON = ("PyLong_AsLongLong", "PyLong_FromLongLong", "PyErr_Occurred", "PyErr_BadArgument", "PyType_IsSubtype",
           "PyEval_SaveThread", "PyEval_RestoreThread")  # fmt: skip


def load(code: Code) -> dict[str, int]:
    """The addresses of an object's functions, for the life of the process. Unusable where it lacks what they need."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)  # LLVM sees the process from here on
    for name in _PYTHON:
        if not binding.address_of_symbol(name):
            binding.add_symbol(name, ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value)
    missing = [name for name in code.needs if not binding.address_of_symbol(name)]
    if missing:  # LLVM would end the process
        raise Unusable("this process has no " + ", ".join(missing))
    engine.add_object_file(binding.ObjectFileRef.from_data(code.object))
    engine.finalize_object()
    addresses = {name: engine.get_function_address(name) for name in code.functions}
    # Never freed: workers may be at it until the process ends, after Python's objects are gone.
    engine.detach()
    return addresses
