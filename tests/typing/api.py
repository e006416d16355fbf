"""What a type checker sees at the door: no call gives `Any`. Checked by `make lint`, which runs mypy on this file."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from numpy import ndarray
from torch import Tensor
from torch.nn.utils import rnn

import fastlstm
import fastlstm.torch
from fastlstm import PackedSequence

Array = ndarray[tuple[Any, ...], np.dtype[Any]]


def layers_on_arrays(x: Array, packed: PackedSequence, either: bool) -> None:
    lstm, gru = fastlstm.LSTM(5, 6), fastlstm.GRU(5, 6)
    assert_type(lstm(x), tuple[Array, tuple[Array, Array]])
    assert_type(lstm(packed, (x, x), reset=x), tuple[PackedSequence, tuple[Array, Array]])
    assert_type(lstm(x, all_states=True), tuple[Array, tuple[Array, Array], tuple[Array, Array]])
    assert_type(lstm(packed, all_states=True)[2], tuple[PackedSequence, PackedSequence])
    assert_type(gru(x, x), tuple[Array, Array])
    assert_type(gru(packed, all_states=True), tuple[PackedSequence, Array, tuple[PackedSequence]])
    assert_type(fastlstm.RNN(5, 6)(x)[1], Array)
    results = lstm(x, all_states=either)
    assert_type(results[1], tuple[Array, Array])
    assert_type(lstm.backward(x, (x, None)), tuple[Array, tuple[Array, Array]])
    assert_type(gru.backward(packed), tuple[PackedSequence, Array])
    assert_type(packed.data, Array)
    assert_type(lstm.hidden_size, int)
    assert_type(lstm.proj_size, int)
    assert_type(gru.dropout, float)
    assert_type(gru.bidirectional, bool)
    assert_type(lstm.weight_ih_l0, Array)
    assert_type(fastlstm.LSTMCell(5, 6)(x), tuple[Array, Array])
    assert_type(fastlstm.GRUCell(5, 6)(x, x), Array)


def a_cell_of_one_s_own_on_arrays(x: Array, packed: PackedSequence) -> None:
    layer = fastlstm.Recurrent(fastlstm.cells.PeepholeLSTM, 5, 6)
    output, state = layer(x)
    assert_type(output, Array)
    assert_type(state, Array | tuple[Array, ...])
    output, (h_n, c_n) = layer(x, state)
    layer(x, (h_n, c_n))
    assert_type(layer(packed, step={"dt": packed}, all_states=True)[2], tuple[PackedSequence, ...])
    assert_type(layer.num_heads, int)


def modules(x: Tensor, packed: rnn.PackedSequence) -> None:
    lstm, gru = fastlstm.torch.LSTM(5, 6), fastlstm.torch.GRU(5, 6)
    for call in (lstm, lstm.forward):
        assert_type(call(x), tuple[Tensor, tuple[Tensor, Tensor]])
    assert_type(lstm(packed, (x, x)), tuple[rnn.PackedSequence, tuple[Tensor, Tensor]])
    assert_type(lstm(x, all_states=True), tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]])
    assert_type(gru(x, x, x > 0), tuple[Tensor, Tensor])
    assert_type(gru(packed, all_states=True), tuple[rnn.PackedSequence, Tensor, tuple[rnn.PackedSequence]])
    assert_type(fastlstm.torch.RNN(5, 6)(x)[1], Tensor)
    assert_type(fastlstm.torch.LSTMCell(5, 6)(x), tuple[Tensor, Tensor])
    assert_type(fastlstm.torch.RNNCell(5, 6)(x, x), Tensor)


def a_cell_of_one_s_own_as_a_module(x: Tensor, packed: rnn.PackedSequence) -> None:
    module = fastlstm.torch.Recurrent(fastlstm.cells.PeepholeLSTM, 5, 6)
    for call in (module, module.forward):
        assert_type(call(x), tuple[Tensor, Tensor | tuple[Tensor, ...]])
    _, (h_n, c_n) = module(x)
    module(packed, (h_n, c_n), step={"dt": packed, "drive": x})
    assert_type(module(packed, all_states=True)[2], tuple[rnn.PackedSequence, ...])
    assert_type(module.hidden_size, int)


def what_is_wrong(x: Array, tensor: Tensor) -> None:
    """Each is an error, or mypy tells of an unused comment."""
    fastlstm.LSTM(5, 6)(x, x)  # type: ignore[call-overload]
    fastlstm.GRU(5, 6)(x, (x, x))  # type: ignore[call-overload]
    fastlstm.torch.LSTM(5, 6)(tensor, tensor)  # type: ignore[call-overload]
    fastlstm.torch.GRUCell(5, 6)(tensor, (tensor, tensor))  # type: ignore[arg-type]
    fastlstm.Recurrent(fastlstm.cells.JANET, 5, 6)(x, step=x)  # type: ignore[call-overload]
    fastlstm.torch.Recurrent(fastlstm.cells.JANET, 5, 6)(x)  # type: ignore[call-overload]
    fastlstm.LSTM(5, 6).hidden_size = 7  # type: ignore[misc]
