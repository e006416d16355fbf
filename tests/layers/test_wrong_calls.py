"""Every wrong call raises before anything is computed, names the argument and the slip, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import fastlstm
from fastlstm import GRU, LSTM, RNN, GRUCell, LSTMCell, PackedSequence


def f(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


T, B, I, H = 5, 4, 3, 6
lstm = LSTM(I, H, 2)
batch_first = LSTM(I, H, 2, batch_first=True)
one = LSTM(I, H)
both = LSTM(I, H, 2, bidirectional=True)
projected = LSTM(I, H, proj_size=2)
gru, rnn = GRU(I, H), RNN(I, H)
cell, gru_cell = LSTMCell(I, H), GRUCell(I, H)
x, h, c = f(T, B, I), f(2, B, H), f(2, B, H)
lengths = np.array([5, 3, 2, 1])
packed = fastlstm.pack_padded_sequence(x, lengths)
linear, embedding = fastlstm.Linear(I, H), fastlstm.Embedding(10, I)

WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    # the constructors
    "input_size is a float": (lambda: LSTM(3.0, 6), TypeError,
        "input_size is a float, expected int"),
    "input_size is zero": (lambda: LSTM(0, 6), ValueError,
        "input_size is 0, expected at least 1"),
    "hidden_size is negative": (lambda: GRU(3, -6), ValueError,
        "hidden_size is -6, expected at least 1"),
    "no layers": (lambda: LSTM(3, 6, 0), ValueError,
        "num_layers is 0, expected at least 1"),
    "num_layers is True": (lambda: LSTM(3, 6, True), TypeError,
        "num_layers is a bool, expected int"),
    "a number for a flag": (lambda: LSTM(3, 6, 2, 0.5), TypeError,
        "bias is a float, expected bool"),
    "dropout above one": (lambda: LSTM(3, 6, 2, dropout=1.5), ValueError,
        "dropout is 1.5, expected 0 to 1"),
    "proj_size not below hidden_size": (lambda: LSTM(3, 6, proj_size=6), ValueError,
        "proj_size is 6, expected less than hidden_size = 6"),
    "another nonlinearity": (lambda: RNN(3, 6, nonlinearity="sigmoid"), ValueError,
        "nonlinearity is 'sigmoid', expected 'tanh' or 'relu'"),
    "half precision": (lambda: LSTM(3, 6, dtype=np.float16), ValueError,
        "dtype is float16, expected float32 or float64"),
    # x
    "x is a list": (lambda: lstm([[[0.0] * 3]]), TypeError,
        "x is a list, expected numpy array: convert it with np.asarray"),
    "x is a tensor": (lambda: lstm(torch.zeros(T, B, I)), TypeError,
        "fastlstm.torch has the same layers for tensors"),
    "x is masked": (lambda: lstm(np.ma.masked_array(x)), TypeError,
        "x is a numpy.ma.MaskedArray, expected numpy array: fill it first"),
    "x is float64": (lambda: lstm(x.astype(float)), ValueError,
        "x is float64, expected float32 as the layer: convert it with .astype(np.float32), or build the layer with "
        "dtype=np.float64"),
    "x is int": (lambda: lstm(x.astype(int)), ValueError,
        "x is int64, expected float32"),
    "x is one step of one sequence": (lambda: lstm(f(I)), ValueError,
        "x has shape (3,), expected (T, B, I) = (T, B, 3), or (T, I) = (T, 3) unbatched: one step of one sequence "
        "is x[None]"),
    "x has four axes": (lambda: lstm(f(T, B, 1, I)), ValueError,
        "merge the axes of one step's features into one"),
    "x has the features first": (lambda: lstm(f(I, T, B)), ValueError,
        "axis 0 has the size I, and the features come last: move that axis with np.moveaxis; reshape would "
        "scramble the data"),
    "x has other features": (lambda: batch_first(f(B, T, 7)), ValueError,
        "x has shape (4, 5, 7), expected (B, T, I) = (B, T, 3), or (T, I) = (T, 3) unbatched"),
    "x is a series without feature axis": (lambda: LSTM(1, H)(f(T, B)), ValueError,
        "a series of single numbers still has a feature axis: x[..., None]"),
    "x has no step": (lambda: lstm(f(0, B, I)), ValueError,
        "there is no time step, T must be at least 1"),
    # the states
    "states are batch-first": (lambda: batch_first(f(B, T, I), (f(B, 2, H), c)), ValueError,
        "h_0 has shape (4, 2, 6), expected (L, B, H) = (2, 4, 6): h_0 is (batch, layers, hidden) here; states are "
        "never batch-first"),
    "c_0 is batch-first": (lambda: lstm(x, (h, f(B, 2, H))), ValueError,
        "c_0 is (batch, layers, hidden) here"),
    "the layer axis is missing": (lambda: gru(x, f(B, H)), ValueError,
        "h_0 has shape (4, 6), expected (L, B, H) = (1, 4, 6): the first axis is the layer, also where there is "
        "only one: h_0[None]"),
    "states without batch": (lambda: lstm(x, (f(2, H), f(2, H))), ValueError,
        "x is batched, so the states are (L*D, B, H)"),
    "states with batch for an unbatched x": (lambda: lstm(f(T, I), (f(2, 1, H), f(2, 1, H))), ValueError,
        "expected (L, H) = (2, 6): x is unbatched, (T, I), so the states have no batch axis"),
    "one state for two directions": (lambda: both(x, (h, c)), ValueError,
        "expected (L*D, B, H) = (4, 4, 6): a bidirectional layer has two states for every layer, num_layers * 2 "
        "in all"),
    "two states for one direction": (lambda: lstm(x, (f(4, B, H), f(4, B, H))), ValueError,
        "the layer is not bidirectional: one state for every layer"),
    "one state for two layers": (lambda: lstm(x, (f(1, B, H), c)), ValueError,
        "every one of the 2 layers has its own state"),
    "layers and directions apart": (lambda: both(x, (f(2, 2, B, H), c)), ValueError,
        "layers and directions share the first axis: reshape (L, D, B, H) to (L*D, B, H)"),
    "h is not projected": (lambda: projected(x, (f(1, B, H), f(1, B, H))), ValueError,
        "h_0 has shape (1, 4, 6), expected (L, B, P) = (1, 4, 2): h is projected, its width is proj_size; only c "
        "has hidden_size"),
    "c is projected": (lambda: projected(x, (f(1, B, 2), f(1, B, 2))), ValueError,
        "c_0 has shape (1, 4, 2), expected (L, B, H) = (1, 4, 6): c is not projected, its width is hidden_size; "
        "only h has proj_size"),
    "x is batch-first, the layer is not": (lambda: one(f(B, T, I), (f(1, B, H), f(1, B, H))), ValueError,
        "the batch of x is 5 and 4 is its number of steps: is x (B, T, I)? Then build the layer with "
        "batch_first=True"),
    "the layer is batch-first, x is not": (lambda: batch_first(x, (h, c)), ValueError,
        "is x (T, B, I)? This layer was built with batch_first=True"),
    "another batch": (lambda: lstm(x, (f(2, 7, H), c)), ValueError,
        "h_0 has shape (2, 7, 6), expected (L, B, H) = (2, 4, 6): the batch of x is 4"),
    "another hidden_size": (lambda: lstm(x, (f(2, B, 7), c)), ValueError,
        "h_0 has shape (2, 4, 7), expected (L, B, H) = (2, 4, 6)"),
    "a state without axes": (lambda: gru(x, f(1).reshape(())), ValueError,
        "h_0 has shape ()"),
    "one array for an LSTM": (lambda: lstm(x, h), TypeError,
        "state is a numpy.ndarray, expected tuple (h, c): an LSTM carries two states"),
    "three states": (lambda: lstm(x, (h, c, c)), ValueError,
        "state has 3 entries, expected the two of (h, c)"),
    "h without c": (lambda: lstm(x, (h, None)), TypeError,
        "c_0 is a NoneType, expected numpy array"),
    "a tuple for a GRU": (lambda: gru(x, (h, c)), TypeError,
        "state is a tuple, expected numpy array: the state of a GRU is one array, h_0"),
    "a state of another dtype": (lambda: rnn(x, np.zeros((1, B, H))), ValueError,
        "h_0 is float64, expected float32"),
    # reset
    "reset is batch-first": (lambda: batch_first(f(B, T, I), reset=np.zeros((B, T), bool)), ValueError,
        "reset has shape (4, 5), expected (T, B) = (5, 4): reset is (batch, time) here; like the states it is "
        "never batch-first"),
    "reset of one sequence": (lambda: lstm(x, reset=np.zeros(T, bool)), ValueError,
        "it has one entry for every step of every sequence"),
    "reset is no mask": (lambda: lstm(x, reset=np.zeros((T, B), int)), ValueError,
        "reset is int64, expected bool: compare it, as in reset != 0"),
    "reset is a list": (lambda: lstm(x, reset=[[False]]), TypeError,
        "reset is a list, expected numpy array of bool"),
    # packed sequences
    "a padded batch sorted the wrong way": (lambda: fastlstm.pack_padded_sequence(x, [1, 2, 3, 5]), ValueError,
        "lengths are [1, 2, 3, 5], expected longest first: sort the batch, or pass enforce_sorted=False"),
    "a length of zero": (lambda: fastlstm.pack_padded_sequence(x, [5, 3, 2, 0]), ValueError,
        "lengths are [5, 3, 2, 0], expected 1 to 5; time is axis 0 of the input, batch_first is False"),
    "a length too long": (lambda: fastlstm.pack_padded_sequence(x, [6, 3, 2, 1]), ValueError,
        "expected 1 to 5"),
    "lengths for the other axis": (lambda: fastlstm.pack_padded_sequence(f(B, T, I), lengths), ValueError,
        "lengths has shape (4,), expected (B,) = (5,): the input's first axis is time; is it the other one? Then "
        "pass batch_first=True"),
    "lengths are floats": (lambda: fastlstm.pack_padded_sequence(x, [5.0, 3.0, 2.0, 1.0]), ValueError,
        "lengths are float64, expected ints"),
    "total_length too short": (lambda: fastlstm.pad_packed_sequence(packed, total_length=4), ValueError,
        "total_length is 4, expected at least 5"),
    "batch sizes rise": (lambda: one(PackedSequence(f(3, I), np.array([1, 2]))), ValueError,
        "batch_sizes are [1, 2], expected positive and never rising"),
    "rows are missing": (lambda: one(packed._replace(data=f(7, I))), ValueError,
        "data of the PackedSequence has shape (7, 3), expected (N, ...) with N = 11"),
    "packed rows of another width": (lambda: one(packed._replace(data=f(11, 7))), ValueError,
        "expected (N, I) = (11, 3)"),
    "an order that is none": (
        lambda: one(packed._replace(sorted_indices=np.zeros(4, int), unsorted_indices=np.arange(4))), ValueError,
        "sorted_indices are no order of the 4 sequences"),
    "an order without its inverse": (lambda: one(packed._replace(sorted_indices=np.arange(4))), ValueError,
        "sorted_indices and unsorted_indices are no order of the 4 sequences and its inverse"),
    "states for another packed batch": (lambda: one(packed, (f(1, 5, H), f(1, 5, H))), ValueError,
        "h_0 has shape (1, 5, 6), expected (L, B, H) = (1, 4, 6)"),
    "no sequences": (lambda: fastlstm.pack_sequence([]), TypeError,
        "sequences is a list, expected non-empty list of numpy arrays"),
    "sequences of two widths": (lambda: fastlstm.pad_sequence([f(2, 3), f(2, 4)]), ValueError,
        "sequences[1] has shape (2, 4), expected (T, ...) with ... = (3,)"),
    # cells
    "a sequence for a cell": (lambda: cell(x), ValueError,
        "x has shape (5, 4, 3), expected (B, I) = (B, 3), or (I,) = (3,) unbatched: a cell takes one time step: "
        "x[t], or use the layer for the whole sequence"),
    "a layer's state for a cell": (lambda: gru_cell(f(B, I), f(1, B, H)), ValueError,
        "h_0 has shape (1, 4, 6), expected (B, H) = (4, 6): a cell's state has no layer axis"),
    "one state for an LSTMCell": (lambda: cell(f(B, I), f(B, H)), TypeError,
        "state is a numpy.ndarray, expected tuple (h, c)"),
    "a batched state for one sequence": (lambda: gru_cell(f(I), f(1, H)), ValueError,
        "x is unbatched, (I,), so the state is (H,)"),
    # heads and losses
    "another width for Linear": (lambda: linear(f(B, 7)), ValueError,
        "x has shape (4, 7), expected (..., in_features) = (..., 3)"),
    "tokens are floats": (lambda: embedding(f(B)), ValueError,
        "tokens are float32, expected ints"),
    "a token too large": (lambda: embedding(np.array([3, 10])), ValueError,
        "tokens run from 3 to 10, expected 0 to 9"),
    "a negative token": (lambda: embedding(np.array([-1])), ValueError,
        "tokens run from -1 to -1, expected 0 to 9"),
    "targets without time": (lambda: fastlstm.cross_entropy(f(T, B, 2), np.zeros(B, int)), ValueError,
        "targets has shape (4,), expected (5, 4), as logits (5, 4, 2) without the classes"),
    "a target too large": (lambda: fastlstm.cross_entropy(f(B, 2), np.full(B, 2)), ValueError,
        "targets run from 2 to 2, expected 0 to 1"),
    "targets that would broadcast": (lambda: fastlstm.mse_loss(f(B, 1), f(B)), ValueError,
        "target has shape (4,), expected (4, 1) as the prediction"),
    # parameters
    "a parameter of another shape": (lambda: setattr(lstm, "bias_hh_l0", f(3)), ValueError,
        "bias_hh_l0 has shape (3,), expected (24,)"),
    "a parameter of ints": (lambda: setattr(lstm, "bias_hh_l0", np.zeros(24, int)), ValueError,
        "bias_hh_l0 is int64, expected a float dtype"),
    "writing through a view": (lambda: lstm.weight_ih_l0.fill(1), ValueError,
        "read-only"),
    "a parameter there is not": (lambda: lstm.weight_hr_l0, AttributeError,
        "'LSTM' has no attribute 'weight_hr_l0'"),
    "another layer's state_dict": (lambda: lstm.load_state_dict(one.state_dict()), KeyError,
        "missing weight_ih_l1, weight_hh_l1, bias_ih_l1, bias_hh_l1"),
    "too large a state_dict": (lambda: one.load_state_dict(lstm.state_dict()), KeyError,
        "unexpected weight_ih_l1"),
    "the right names, one wrong shape": (
        lambda: one.load_state_dict(one.state_dict() | {"bias_hh_l0": f(5)}), ValueError,
        "bias_hh_l0 has shape (5,), expected (24,)"),
    "SGD of arrays": (lambda: fastlstm.SGD([f(3)], 0.1), TypeError,
        "modules is a numpy.ndarray, expected layer or list of layers"),
    "an optimiser of nothing": (lambda: fastlstm.Adam([]), ValueError,
        "modules are empty, expected a layer or a list of layers"),
    "an optimiser of no gradients": (lambda: fastlstm.SGD(fastlstm.LSTM(2, 3).grad), ValueError,
        "it is a mapping, such as lstm.grad; pass the layers themselves"),
    "an optimiser of gradients": (lambda: fastlstm.Adam({"weight": f(2)}), TypeError,
        "modules is a dict, expected layer or list of layers: pass the layers themselves"),
    "dropout as fourth": (lambda: fastlstm.LSTM(5, 6, 2, 0.5), TypeError,
        "bias is a float, expected bool: the 4th positional argument is bias, not dropout"),
    "dropout as fourth of an RNN": (lambda: fastlstm.RNN(5, 6, 2, 0.5), ValueError,
        "nonlinearity is 0.5, expected 'tanh' or 'relu': the 4th positional argument is nonlinearity, not dropout"),
    "layers for ever": (lambda: fastlstm.LSTM(5, 6, 10**9), ValueError,
        "LSTM(5, 6, num_layers=1000000000) would take"),
    "a layer beyond any number": (lambda: fastlstm.GRU(10**30, 6), ValueError,
        "GRU(1000000000000000000000000000000, 6, num_layers=1) would take"),
    "a cell too large": (lambda: fastlstm.LSTMCell(10**8, 10**8), ValueError,
        "LSTMCell(100000000, 100000000) would take"),
    "a head too large": (lambda: fastlstm.Linear(10**9, 10**9), ValueError,
        "Linear(1000000000, 1000000000) would take"),
    "a table too large": (lambda: fastlstm.Embedding(10**9, 10**9), ValueError,
        "Embedding(1000000000, 1000000000) would take"),
    "half a thread": (lambda: fastlstm.set_num_threads(2.5), TypeError,
        "count is a float, expected int"),
    "no thread": (lambda: fastlstm.set_num_threads(0), ValueError,
        "count is 0, expected at least 1"),
    "a masked reset": (lambda: lstm(x, reset=np.ma.masked_array(np.zeros((T, B), bool), True)), TypeError,
        "reset is a numpy.ma.MaskedArray, expected numpy array of bool: fill it first"),
    "a negative learning rate": (lambda: fastlstm.Adam(lstm, -1.0), ValueError,
        "lr is -1.0, expected 0 or more"),
    "an unknown format": (lambda: fastlstm.save(one.state_dict(), "a.pt"), ValueError,
        "path is 'a.pt', expected a name in .safetensors or .npz"),
    "saving a layer": (lambda: fastlstm.save(one, "a.npz"), TypeError,
        "expected state_dict: save(lstm.state_dict(), path)"),
    "gates by another name": (lambda: fastlstm.stack_gates("LSTM", dict.fromkeys("ifco", f(H))), ValueError,
        "gates are i, f, c, o, expected i, f, g, o"),
    "gates of two shapes": (lambda: fastlstm.stack_gates("GRU", {"r": f(H), "z": f(H), "n": f(1)}), ValueError,
        "expected one shape for all"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_is_wrong(name: str) -> None:
    call, error, message = WRONG[name]
    layers = [lstm, batch_first, one, both, projected, gru, rnn, cell, gru_cell, linear, embedding]
    before = [(layer.state_dict(), layer.tape, layer.training) for layer in layers]
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
    for layer, (state, tape, training) in zip(layers, before, strict=True):
        assert layer.tape is tape
        assert layer.training is training
        assert all(np.array_equal(state[key], value) for key, value in layer.state_dict().items())


y = f(T, B, H)
WRONG_BACKWARD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no gradient": (lambda: one.backward(None), ValueError,
        "are None, expected one at least"),
    "no gradient of either state": (lambda: one.backward(None, (None, None)), ValueError,
        "of all states are None"),
    "batch and time exchanged": (lambda: one.backward(f(B, T, H)), ValueError,
        "grad_output has shape (4, 5, 6), expected (5, 4, 6), the shape of the output: batch and time are "
        "exchanged"),
    "one step's gradient": (lambda: one.backward(f(B, H)), ValueError,
        "this is one step's gradient: put it into zeros of the output's shape"),
    "a gradient of another dtype": (lambda: one.backward(np.zeros((T, B, H))), ValueError,
        "grad_output is float64, expected float32"),
    "one array for an LSTM's states": (lambda: one.backward(y, f(1, B, H)), TypeError,
        "grad_state is a numpy.ndarray, expected tuple (h, c)"),
    "a state's gradient of another shape": (lambda: one.backward(y, (None, f(1, T, H))), ValueError,
        "grad_c_n has shape (1, 5, 6), expected (L, B, H) = (1, 4, 6)"),
    "a packed gradient": (lambda: one.backward(packed), TypeError,
        "expected numpy array: as the output"),
    "a tuple for a GRU": (lambda: gru.backward(y, (f(1, B, H),)), TypeError,
        "the state of a GRU is one array"),
    "another shape for Linear": (lambda: linear.backward(f(T, B, I)), ValueError,
        "grad_output has shape (5, 4, 3), expected (5, 4, 6), the shape of the output"),
    "a cell's state of another shape": (lambda: cell.backward((f(B, 2), None)), ValueError,
        "grad_h_1 has shape (4, 2), expected (B, H) = (4, 6)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_BACKWARD)
def test_a_wrong_gradient_leaves_the_forward_to_be_gone_back_through(name: str) -> None:
    call, error, message = WRONG_BACKWARD[name]
    for layer in (one, gru, linear):
        layer.zero_grad()
        layer(x)
    cell(x[0])
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
    assert not one.grad
    assert not linear.grad
    one.backward(y)
    gru.backward(y)
    linear.backward(y)
    cell.backward((f(B, H), None))


@pytest.mark.parametrize("layer", [LSTM(I, H), GRU(I, H), fastlstm.Linear(I, H)], ids=repr)
def test_backward_needs_a_forward_of_its_own(layer: Any) -> None:
    with pytest.raises(RuntimeError, match="there was none yet, or backward was called already"):
        layer.backward(y)
    layer(x)
    layer.backward(y)
    with pytest.raises(RuntimeError, match="backward was called already"):
        layer.backward(y)
    layer.eval()
    layer(x)
    with pytest.raises(RuntimeError, match=r"it ran in eval mode, call train\(\) first"):
        layer.backward(y)
    layer.train()
    layer(x)
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="the parameters have changed since the forward"):
        layer.backward(y)


def test_a_dropout_that_does_nothing_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="it acts between layers, and num_layers is 1"):
        LSTM(3, 4, dropout=0.5)
