"""Compiled code by name: addresses of kernels, and what Python calls. Numba comes in where the store lacks some."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from fastlstm.compiled.loader import python_function
from fastlstm.compiled.made import Unit
from fastlstm.compiled.store import Store, watch_forks

_UNITS = {
    "inference": ("forward", "pack", "multiply"),
    "training": ("backward", "gradients", "pack_transposed"),
    "training_samples": ("backward_samples", "gradients_samples"),
    "calls": (
        *("run_forward", "run_backward", "run_each", "run_step", "run_step_back", "run_products", "same_bytes"),
        *("hire", "dismiss", "work", "region"),
    ),
}
"""What is compiled together, since it is wanted together. Every other kernel is a unit by itself."""

_UNIT_OF = {function: unit for unit, functions in _UNITS.items() for function in functions}


_CALLS = Unit("calls")
_PASSES = {
    "pack": (("inference", False), ("advance", True)),
    "pack_transposed": (("training", False), ("retreat", True)),
}
"""By the packing kernel that a pass begins with, what it wants: the name, and whether it is the cell's own."""


def _compile(units: Sequence[Unit]) -> Any:
    from fastlstm.engine.compiling import compile_units

    return compile_units(units)


STORE = Store(_compile)
watch_forks(STORE)


@cache
def kernel(name: str, dtype: str = "any", cell: str = "any") -> int:
    """The address of a kernel: of one for all cells, of a cell's own, or of one that does not depend on the dtype."""
    return STORE.addresses(Unit(_UNIT_OF.get(name, name), dtype, cell), _CALLS)[name]


def prepare(packing: str, dtype: str, cell: str) -> None:
    """Have all that a pass wants which begins with this packing kernel. What must be compiled is compiled at once,
    which takes less time than one by one."""
    first, *others = [Unit(name, dtype, cell if of_cell else "any") for name, of_cell in _PASSES[packing]]
    STORE.addresses(first, *others, _CALLS)


@cache
def entry(name: str) -> Any:
    """The function by which Python enters compiled code, which gives the interpreter's lock away meanwhile.

    TypeError where the number of arguments or their kinds are wrong; that arrays are what it takes, callers see to.
    """
    return python_function(name, kernel(name))
