"""The simulator's device arrays with no more than a real one's attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastlstm.cuda.shim import SIMULATED

# Of a DeviceNDArray; what else there is (reshape, copy_to_host, ...) the simulator's class has itself.
ATTRIBUTES = {"dtype", "flags", "ndim", "shape", "size", "squeeze", "strides"}


@pytest.fixture(autouse=True)
def no_numpy_in_disguise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator's arrays wrap NumPy's and pass on all they are asked for: `take`, `copy`, an index of None."""
    if not SIMULATED:
        return
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    attribute: Callable[[Any, str], Any] = FakeCUDAArray.__getattr__
    item: Callable[[Any, Any], Any] = FakeCUDAArray.__getitem__

    def get_attribute(self: Any, name: str) -> Any:
        if name not in ATTRIBUTES and not name.startswith("_"):
            raise AttributeError(f"a device array has no {name}")
        return attribute(self, name)

    def get_item(self: Any, index: Any) -> Any:
        if index is None or (type(index) is tuple and None in index):
            raise IndexError("a device array is not given new axes")
        return item(self, index)

    monkeypatch.setattr(FakeCUDAArray, "__getattr__", get_attribute)
    monkeypatch.setattr(FakeCUDAArray, "__getitem__", get_item)
