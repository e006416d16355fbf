"""The cells: each file states one cell's equations, once, for every kernel.

LSTM, GRU and the RNNs, in `CELLS`, say forward and backward; those of `SHELF` are steps that `fastlstm.spec` traces and
derives, read when they are first asked for: `fastlstm.cells.PeepholeLSTM`.

One of `CELLS` is a module with

* `GATES`: how many gates, in torch's order;
* `CARRIES_CELL`: whether a second state c is carried beside h;
* `SPLITS_GATES`: whether the gradient of the recurrent product differs from that of the input product;
* `PASSES_STATE`: whether the previous h enters the new one past the gates;
* `forward(math, x, u, h, c) -> (saved, h, c)`: x[g] is what enters gate g: the input and the recurrent product with
  both biases; where SPLITS_GATES, x[g] is the input product and u[g] the recurrent one, each with its bias. h and c are
  the previous state; `saved` are G values that replace x for the backward pass;
* `backward(math, saved, u, h, c, dh, dc) -> (dx, du, dh, dc)`: the gradients of x[g] and u[g], of the previous h past
  the gates (None where PASSES_STATE is false) and of the previous c.

Where SPLITS_GATES is false u is None and du is dx. The values are whatever kernels bring: vector registers, CUDA
scalars or arrays with `+ - * /`; `math` brings `sigmoid`, `tanh`, `relu` and `where_greater(a, b, then, otherwise)`. c
and dc are None for cells without it.
"""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from fastlstm.cells import gru, lstm, rnn_relu, rnn_tanh
from fastlstm.spec import Cell

CELLS: dict[str, ModuleType] = {"LSTM": lstm, "GRU": gru, "RNN_TANH": rnn_tanh, "RNN_RELU": rnn_relu}

SHELF: Mapping[str, str] = {
    "CoupledLSTM": "coupled_lstm",
    "EALSTM": "ealstm",
    "GRUD": "grud",
    "IndRNN": "indrnn",
    "JANET": "janet",
    "LIF": "lif",
    "LayerNormGRU": "layer_norm_gru",
    "LayerNormLSTM": "layer_norm_lstm",
    "MGU": "mgu",
    "PeepholeLSTM": "peephole_lstm",
    "ResetBeforeGRU": "reset_before_gru",
    "minGRU": "mingru",
    "minLSTM": "minlstm",
    "sLSTM": "slstm",
}
"""The file of each cell that `fastlstm.Recurrent` takes."""


def __getattr__(name: str) -> Cell:
    if name not in SHELF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its cells are {', '.join(SHELF)}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{SHELF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *SHELF})
