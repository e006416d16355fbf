"""LSTMs, GRUs and RNNs several times faster on a CPU: NumPy layers and drop-in torch modules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastlstm_lint import __version__ as __version__

if TYPE_CHECKING:
    from . import cells
    from .engine import get_num_threads, set_num_threads
    from .layers import (
        GRU,
        LSTM,
        RNN,
        SGD,
        Adam,
        Dropout,
        Embedding,
        GRUCell,
        Linear,
        LSTMCell,
        Module,
        PackedSequence,
        Recurrent,
        RNNCell,
        clip_grad_norm,
        cross_entropy,
        load,
        mse_loss,
        pack_padded_sequence,
        pack_sequence,
        pad_packed_sequence,
        pad_sequence,
        save,
        split_gates,
        stack_gates,
    )
    from .quantized import quantize
    from .spec import cell
    from .tracebacks import explain_errors

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "Module",
    "PackedSequence",
    "RNNCell",
    "Recurrent",
    "cell",
    "cells",
    "clip_grad_norm",
    "cross_entropy",
    "explain_errors",
    "get_num_threads",
    "load",
    "mse_loss",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "quantize",
    "save",
    "set_num_threads",
    "split_gates",
    "stack_gates",
]


EXTENSION = ("load_ipython_extension", "unload_ipython_extension")
"""What IPython asks for on `%load_ext fastlstm`."""


def __getattr__(name: str) -> Any:
    """What is behind the door, when it is first asked for: numba alone takes 0.7 s to import, the linter needs none."""
    if name not in __all__ and name not in EXTENSION:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "cells":
        return import_module(f"{__name__}.cells")
    room = "spec" if name == "cell" else "engine" if name.endswith("_num_threads") else "layers"
    room = "quantized" if name == "quantize" else room
    room = "tracebacks" if name == "explain_errors" or name in EXTENSION else room
    value = globals()[name] = getattr(import_module(f"{__name__}.{room}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
