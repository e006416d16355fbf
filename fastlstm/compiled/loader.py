"""Object files become functions; they stay for the life of the process."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from fastlstm.compiled import elf
from fastlstm.compiled.file import Code, Unusable
from fastlstm.kernels.cpu import system

_FASTCALL = 0x80


class _Method(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def load(code: Code) -> dict[str, int]:
    """The addresses of an object's functions. Unusable where the process lacks what it needs.

    On Linux x86-64 by our own hands; other systems' objects, and what we do not know of one, are LLVM's to load.
    """
    if system().startswith("x86_64-linux"):
        try:
            return _placed(code)
        except elf.Unknown:
            pass
    from fastlstm.compiled.llvm import load as load_by_llvm  # LLVM takes 0.09 s to import

    return load_by_llvm(code)


def _placed(code: Code) -> dict[str, int]:
    image = elf.read(code.object)
    symbols = {name: address for name in code.needs if (address := _address(name))}
    if missing := [name for name in code.needs if name not in symbols]:
        raise Unusable("this process has no " + ", ".join(missing))
    try:
        base = elf.place(image, symbols.__getitem__)
        return {name: base + image.functions[name] for name in code.functions}
    except KeyError as name:
        raise Unusable(f"the object has no {name}, or needs it and does not say so") from None
    except OSError as error:
        raise Unusable(f"the system gives no memory for code: {error.strerror}") from None


def _address(name: str) -> int | None:
    try:
        return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    except AttributeError:
        return None


def python_function(name: str, address: int) -> Any:
    """What Python calls for the function at an address, which is METH_FASTCALL's and takes NumPy's arrays."""
    method = _Method(name.encode(), address, _FASTCALL, None)
    # Never freed: Python looks at it when the function goes, which may be after all modules.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(method))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(method), np.ndarray, None)
