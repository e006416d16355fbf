"""Arrays of others on the device, without a copy, and host arrays, with one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from fastlstm.cuda.shim import cuda_module, device_number
from fastlstm.errors import refuse_dtype, refuse_type

cuda = cuda_module()


def as_device(name: str, value: Any, dtype: Any = None) -> Any:
    """`value` as a C-contiguous device array of Numba's, of `dtype` where that is given.

    Anything with `__cuda_array_interface__` or DLPack on a GPU (torch, CuPy, JAX) shares its memory; a NumPy array is
    copied. TypeError for anything else, ValueError for another dtype, another GPU, or one that is strided.
    """
    if isinstance(value, np.ndarray):
        found = cuda.to_device(np.ascontiguousarray(value))
    elif hasattr(value, "__cuda_ndarray__"):  # Numba's own, the simulator's too
        found = value
    else:
        if not hasattr(value, "__cuda_array_interface__") and hasattr(value, "__dlpack__"):
            value = _from_dlpack(name, value)
        if not hasattr(value, "__cuda_array_interface__"):
            refuse_type(name, value, "array on the GPU (__cuda_array_interface__ or DLPack) or a NumPy array")
        _check_place(name, value)
        found = cuda.as_cuda_array(value)
    if dtype is not None and np.dtype(found.dtype) != dtype:
        refuse_dtype(name, found.dtype, np.dtype(dtype))
    if not found.is_c_contiguous():
        raise ValueError(f"{name} is strided, expected C-contiguous: a copy must be asked for (.contiguous(), .copy())")
    return found


def _check_place(name: str, value: Any) -> None:
    """Torch says `device.index`, CuPy `device.id`; who says neither is trusted."""
    device = getattr(value, "device", None)
    number = getattr(device, "index", getattr(device, "id", None))
    if number is not None and number != device_number():
        raise ValueError(f"{name} is on GPU {number}, expected {device_number()}, the current one")


def _from_dlpack(name: str, value: Any) -> Any:
    """Through torch or CuPy: Numba does not read DLPack."""
    if find_spec("torch") is not None:
        import torch

        return torch.from_dlpack(value)
    if find_spec("cupy") is not None:
        import cupy

        return cupy.from_dlpack(value)
    return refuse_type(name, value, "array with __cuda_array_interface__", "to read DLPack, install torch or CuPy")
