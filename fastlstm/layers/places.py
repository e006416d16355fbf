"""Where a layer's arrays are and which engine computes there: on the host, or on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from fastlstm_lint.contract import Layer
from numpy import ndarray

from .. import engine as cpu
from .. import errors
from ..kernels.cards import reason_against
from ..spec import Engine, Stack
from .arrays import check_bool, require, require_mask


class Place(Protocol):
    """What the call of a layer needs of one."""

    def engine(self, config: Layer, dtype: np.dtype) -> Engine:
        """What computes a layer."""

    def array(self, name: str, value: Any, dtype: Any) -> Any:
        """`value` as an array for the engine, C-contiguous. TypeError or ValueError, naming it, where it is none."""

    def mask(self, name: str, value: Any) -> Any:
        """`value` as a boolean array for the engine."""

    def shape(self, array: Any, *shape: int) -> Any:
        """The array in another shape, without a copy."""

    def take(self, array: Any, order: ndarray) -> Any:
        """A copy with the entries `order` of axis 1. order: (M,) int64, on the host."""

    def fetch(self, gradients: dict[str, Any]) -> dict[str, ndarray]:
        """The parameters' gradients, on the host."""


class Host:
    """NumPy arrays."""

    def engine(self, config: Layer, dtype: np.dtype) -> Engine:
        if isinstance(config, Stack):
            reason = reason_against(config.cell)
            if reason is None:
                return cpu.Engine(config, dtype)
            from ..reference import Reference  # wanted by few

            errors.warn_of_loops(f"{config.cell.name}: {reason}")
            return Reference(config, dtype)
        return cpu.Engine(config, dtype)

    def array(self, name: str, value: Any, dtype: Any) -> ndarray:
        return require(name, value, dtype)

    def mask(self, name: str, value: Any) -> ndarray:
        return require_mask(name, value)

    def shape(self, array: ndarray, *shape: int) -> ndarray:
        return array.reshape(shape)

    def take(self, array: ndarray, order: ndarray) -> ndarray:
        return array.take(order, axis=1)

    def fetch(self, gradients: dict[str, Any]) -> dict[str, ndarray]:
        return gradients


class Device:
    """Arrays with `__cuda_array_interface__` or DLPack, used in place, and NumPy arrays, copied; Numba's come out.

    CudaError where no GPU serves.
    """

    def engine(self, config: Layer, dtype: np.dtype) -> Engine:
        if isinstance(config, Stack):
            raise ValueError(
                f"device is 'cuda', but {no_gpu_kernel(config)}; device='cpu' computes it, and on a GPU "
                "fastlstm.torch.Recurrent does, by torch's operators"
            )
        from ..cuda import engine as gpu

        return gpu.Engine(config, dtype)

    def array(self, name: str, value: Any, dtype: Any) -> Any:
        from ..cuda.arrays import as_device

        return as_device(name, require(name, value, dtype) if isinstance(value, ndarray) else value, dtype)

    def mask(self, name: str, value: Any) -> Any:
        from ..cuda.arrays import as_device

        found = as_device(name, value)
        check_bool(name, found.dtype)
        return found

    def shape(self, array: Any, *shape: int) -> Any:
        from ..cuda.arrays import shaped

        return shaped(array, *shape)

    def take(self, array: Any, order: ndarray) -> Any:
        from ..cuda.gather import gather

        return gather(array, 1, order)

    def fetch(self, gradients: dict[str, Any]) -> dict[str, ndarray]:
        return {name: value.copy_to_host() for name, value in gradients.items()}


def no_gpu_kernel(config: Stack) -> str:
    """Why no kernel for GPUs computes a user's cell."""
    return f"the kernels for GPUs have LSTM, GRU and RNN, and {config.cell.name} is made from a step"


PLACES: Mapping[str, Place] = {"cpu": Host(), "cuda": Device()}
