"""Object files become functions, by LLVM's loader alone; they stay for the life of the process."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import binding

from fastlstm.compiled.file import Code, Unusable

_FASTCALL = 0x80
# What code that Python calls needs of it. Where an interpreter shows its symbols to no one, LLVM is told of them.
_PYTHON = ("PyLong_AsLongLong", "PyLong_FromLongLong", "PyErr_Occurred", "PyErr_BadArgument", "PyType_IsSubtype",
           "PyEval_SaveThread", "PyEval_RestoreThread")  # fmt: skip


class _Method(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def load(code: Code) -> dict[str, int]:
    """The addresses of an object's functions. Unusable where the process lacks what it needs."""
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


def python_function(name: str, address: int) -> Any:
    """What Python calls for the function at an address, which is METH_FASTCALL's and takes NumPy's arrays."""
    method = _Method(name.encode(), address, _FASTCALL, None)
    # Never freed: Python looks at it when the function goes, which may be after all modules.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(method))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(method), np.ndarray, None)
