"""LSTM, GRU and RNN on an NVIDIA GPU. Importing this room needs neither a GPU nor a driver; `why_not` says what lacks.

`Engine` has the interface of `fastlstm.engine.Engine`, on device arrays. It is loaded on first use.
"""

from typing import Any

from fastlstm.cuda.shim import CudaError, device_name, why_not

__all__ = ["CudaError", "Engine", "device_name", "why_not"]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from fastlstm.cuda.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
