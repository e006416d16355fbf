"""Arrays of others on the device, without a copy, and host arrays, with one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastlstm.cuda import streams
from fastlstm.cuda.shim import SIMULATED, cuda_module, device_number, has_dlpack
from fastlstm.errors import refuse_dtype, refuse_type

cuda = cuda_module()


def as_device(name: str, value: Any, dtype: Any = None) -> Any:
    """`value` as a C-contiguous device array of Numba's, of `dtype` where that is given.

    Anything with `__cuda_array_interface__` or DLPack on a GPU (torch, CuPy, JAX) shares its memory; a NumPy array is
    copied. Where it is on another stream than the current one, that waits. TypeError for anything else, ValueError for
    another dtype, another GPU, or one that is strided.
    """
    if isinstance(value, np.ndarray):
        found = upload(value)
    elif hasattr(value, "__cuda_ndarray__"):  # Numba's own, the simulator's too
        _check_place(name, value)
        found = value
        streams.join(streams.handle_of(value))
    else:
        if not hasattr(value, "__cuda_array_interface__") and has_dlpack(value):
            value = _from_dlpack(name, value)
        if not hasattr(value, "__cuda_array_interface__"):
            refuse_type(name, value, "array on the GPU (__cuda_array_interface__ or DLPack) or a NumPy array")
        _check_place(name, value)
        described = value.__cuda_array_interface__
        found = cuda.from_cuda_array_interface(described, owner=value, sync=False)
        if described.get("stream") is not None:  # who names none, as torch, leaves the waiting to the program
            streams.join(described["stream"])
    if dtype is not None and np.dtype(found.dtype) != dtype:
        refuse_dtype(name, found.dtype, np.dtype(dtype))
    if not found.is_c_contiguous():
        raise ValueError(f"{name} is strided, expected C-contiguous: a copy must be asked for (.contiguous(), .copy())")
    return found


def upload(array: np.ndarray) -> Any:
    """A copy on the GPU, that any stream may read; the host's may be changed at once."""
    stream = streams.current()
    # An axis that was added by None has a stride of zero, which Numba takes for a strided array.
    plain = np.ascontiguousarray(array).reshape(-1).reshape(array.shape)
    found = cuda.to_device(plain, stream=stream)
    if stream:
        stream.synchronize()
    return found


def shaped(array: Any, *shape: int) -> Any:
    """The array's memory in another shape, on the same stream: Numba's `reshape` forgets it."""
    return array.reshape(*shape).bind(array.stream)


def _check_place(name: str, value: Any) -> None:
    """Torch says `device.index`, CuPy `device.id`, Numba's arrays have a context; who says nothing is trusted."""
    if hasattr(value, "__cuda_ndarray__"):
        device = None if SIMULATED else value.gpu_data.context.device
    else:
        device = getattr(value, "device", None)
    number = getattr(device, "index", getattr(device, "id", None))
    if number is not None and number != device_number():
        raise ValueError(f"{name} is on GPU {number}, expected {device_number()}, the current one")


def _from_dlpack(name: str, value: Any) -> Any:
    """Through torch or CuPy, which wait for its stream: Numba does not read DLPack."""
    library = streams.partner()
    if library is None:
        refuse_type(name, value, "array with __cuda_array_interface__", "to read DLPack, install torch or CuPy")
    return library.from_dlpack(value)
