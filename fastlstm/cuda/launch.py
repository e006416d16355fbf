"""Launching a sequence kernel: once, or once for each step."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fastlstm.cuda.machine import machine
from fastlstm.cuda.shim import SIMULATED, cuda_module, device_number
from fastlstm.cuda.streams import configured
from fastlstm.cuda.tile import Launch

cuda = cuda_module()

# What a block has without asking the driver for more.
ORDINARY_SHARED = 48 * 1024

_ready: dict[Any, Any] = {}


def run_steps(kernel: Any, launch: Launch, steps: range, arguments: tuple[Any, ...]) -> None:
    """Run `steps` (ascending or descending) of a kernel made by `forward` or `backward`, on the current stream."""
    low, high = min(steps[0], steps[-1]), max(steps[0], steps[-1])
    spans = [(low, high + 1)] if launch.persistent else [(s, s + 1) for s in steps]
    cut = (launch.blocks, launch.share)
    prepared = kernel if SIMULATED else _prepared(kernel, (*arguments, low, high, *cut))
    run = configured(prepared, launch.blocks * launch.groups, launch.tile.threads, launch.shared_bytes)
    for first, last in spans:
        run(*arguments, first, last, *cut)


def _prepared(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """The kernel compiled for these arguments' types, which its maker fixes, and allowed all shared memory there is.

    Numba does not ask for it, and a launch with more than ORDINARY_SHARED is refused unless it was asked for.
    """
    number = device_number()
    if (kernel, number) not in _ready:
        compiled = kernel.specialize(*arguments)
        most = machine().shared_bytes
        if most > ORDINARY_SHARED:
            attribute = import_module("cuda.bindings.driver").CUfunction_attribute
            for overload in compiled.overloads.values():
                cuda.cudadrv.driver.driver.cuKernelSetAttribute(
                    attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    most,
                    overload._codelibrary.get_cufunc().handle,
                    number,
                )
        _ready[kernel, number] = compiled
    return _ready[kernel, number]
