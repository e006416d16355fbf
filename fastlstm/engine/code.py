"""Compiled code by name: addresses of kernels, and what Python calls. Numba comes in where the store lacks some."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastlstm.compiled.loader import python_function
from fastlstm.compiled.made import Unit
from fastlstm.compiled.store import Store, watch_forks

_UNITS = {
    "inference": ("forward", "pack", "multiply"),
    "training": ("backward", "gradients", "pack_transposed"),
    "calls": (
        *("run_forward", "run_backward", "run_each", "run_step", "run_step_back", "run_products"),
        *("hire", "dismiss", "work", "region"),
    ),
}
"""What is compiled together, since it is wanted together. Every other kernel is a unit by itself."""

_UNIT_OF = {function: unit for unit, functions in _UNITS.items() for function in functions}


def _compile(unit: Unit) -> Any:
    from fastlstm.engine.compiling import compile_unit

    return compile_unit(unit)


STORE = Store(_compile)
watch_forks(STORE)


@cache
def kernel(name: str, dtype: str = "any", cell: str = "any") -> int:
    """The address of a kernel: of one for all cells, of a cell's own, or of one that does not depend on the dtype."""
    return STORE.addresses(Unit(_UNIT_OF.get(name, name), dtype, cell))[name]


@cache
def entry(name: str) -> Any:
    """The function by which Python enters compiled code, which gives the interpreter's lock away meanwhile.

    TypeError where the number of arguments or their kinds are wrong; that arrays are what it takes, callers see to.
    """
    return python_function(name, kernel(name))
