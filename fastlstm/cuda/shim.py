"""The one door to CUDA: numba-cuda, its successor or Numba's simulator, and words for what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np


class CudaError(RuntimeError):
    """What CUDA refused, and why: no package, no driver, an old driver, no device, no memory."""


SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"
"""Whether kernels run in Numba's simulator: right, block after block, and slow."""

_INSTALL = "pip install 'fastlstm[cuda]'"
_WORDS = (
    ("OUT_OF_MEMORY", "the GPU's memory is full"),
    ("INSUFFICIENT_DRIVER", "the driver is older than the CUDA toolkit: update the driver"),
    ("UNSUPPORTED_PTX_VERSION", "the driver is older than the CUDA toolkit: update the driver"),
    ("SYSTEM_DRIVER_MISMATCH", "the driver's parts are of different versions: restart the machine"),
    ("NO_DEVICE", "the driver sees no NVIDIA GPU"),
    ("INVALID_DEVICE", "there is no GPU of this number"),
    ("LAUNCH_TIMEOUT", "the display's watchdog ended the kernel: it may not run this long on a GPU with a screen"),
    ("COOPERATIVE_LAUNCH_TOO_LARGE", "another program holds part of the GPU, so that not all blocks can run at once"),
    ("NVVM", "the compiler (NVVM) is not found or too old"),
)
"""Parts of the driver's messages, and what they mean to the user."""


def cuda_module() -> Any:
    """`numba.cuda` of numba-cuda where it is installed (it takes the place of Numba's own), else its successor's.

    Where neither is, Numba's own, which holds the simulator. CudaError where there is none of them.
    """
    preferred = "numba_cuda_mlir.cuda" if not SIMULATED and _successor_alone() else "numba.cuda"
    try:
        module = import_module(preferred)
    except ImportError as error:
        raise CudaError(f"numba-cuda is not installed: {_INSTALL}") from error
    return _Simulator(module) if SIMULATED else module


class _Simulator:
    """`numba.cuda` in the simulator, as the running kernel sees it.

    Numba swaps the global `cuda` of the functions it simulates for the running block's, and back when a function ends:
    with threads of one block inside the same device function the first one out takes it from the others. This object
    is not swapped, and looks the block up at each use.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._running = import_module("numba.cuda.simulator.kernel")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._running._kernel_context or self._module, name)


def _successor_alone() -> bool:
    return find_spec("numba_cuda") is None and find_spec("numba_cuda_mlir") is not None


def why_not() -> str | None:
    """Why no GPU serves here, or None where one does (or the simulator)."""
    try:
        cuda = cuda_module()
        if SIMULATED:
            return None
        with worded():
            problem = cuda.cuda_error()
            if problem:
                return _meaning(str(problem))
            if not len(cuda.gpus):
                return "the driver sees no NVIDIA GPU"
            cuda.current_context()
            if not cuda.is_available():
                return f"the compiler (NVVM) is not found: {_INSTALL}"
    except CudaError as error:
        return str(error)
    return None


def device_name() -> str:
    """The GPU's name and compute capability. CudaError where there is none."""
    reason = why_not()
    if reason:
        raise CudaError(reason)
    if SIMULATED:
        return "Numba's CUDA simulator"
    device = cuda_module().get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    return f"{name}, compute capability {'.'.join(map(str, device.compute_capability))}"


def has_dlpack(value: Any) -> bool:
    """Whether `value` speaks DLPack and says that it is on an NVIDIA GPU."""
    return hasattr(value, "__dlpack_device__") and value.__dlpack_device__()[0] == DLPACK_CUDA


# kDLCUDA in dlpack.h.
DLPACK_CUDA = 2


def device_number() -> int:
    """The current GPU's."""
    return 0 if SIMULATED else cuda_module().get_current_device().id


@contextmanager
def worded() -> Iterator[None]:
    """Turns what the driver, the compiler or a matrix library raises into a CudaError that names the cause."""
    try:
        yield
    except CudaError:
        raise
    except Exception as error:
        kind = type(error)
        if kind is AttributeError and "module 'numpy'" in str(error):
            reason = f"numba-cuda does not know NumPy {np.__version__}, install an older one ({error})"
            raise CudaError(reason) from error
        if kind.__name__ not in _FOREIGN and not issubclass(kind, (OSError, MemoryError)):
            raise
        raise CudaError(_meaning(f"{kind.__name__}: {error}")) from error


_FOREIGN = frozenset({
    "CudaSupportError", "CudaDriverError", "CudaAPIError", "CUDAError", "LinkerError", "NvvmError", "NvvmSupportError",
    "CudaRuntimeError", "CudaRuntimeLibraryNotFound", "OutOfMemoryError", "AcceleratorError", "CUDARuntimeError",
    "DynamicLibNotFoundError", "nvvmError",
})  # fmt: skip
"""Exceptions of numba-cuda, cuda.core, torch and CuPy, by name: the classes are not there on every machine."""


def _meaning(message: str) -> str:
    plain = message.upper().replace(" ", "_")
    if ("LIBRARY_CANNOT_BE_FOUND" in plain and "DRIVER" in plain) or "LIBCUDA" in plain:
        return "no NVIDIA driver is installed"
    told = next((words for mark, words in _WORDS if mark in plain), None)
    first = " ".join(message.split())
    return f"{told} ({first})" if told else first
