"""Layers of a cell of one's own behave as LSTM does: forms of input, states, reset, step inputs, parameters, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import fastlstm
from fastlstm import LSTM, Recurrent, cells, pack_padded_sequence

T, B, I, H = 6, 4, 5, 7


@fastlstm.cell(gates="i f g o", states="h c")
def own_lstm(m, gate, state):
    c = m.sigmoid(gate.f) * state.c + m.sigmoid(gate.i) * m.tanh(gate.g)
    return m.sigmoid(gate.o) * m.tanh(c), c


@fastlstm.cell(gates="a", states="h", step="dt drive")
def driven(m, gate, state, step):
    return m.exp(-step.dt) * state.h + m.tanh(gate.a + step.drive)


@fastlstm.cell(gates="i f z o", states="h c", recurrent="heads", input="none")
def gates_outside(m, gate, state):
    c = m.sigmoid(gate.f) * state.c + m.sigmoid(gate.i) * m.tanh(gate.z)
    return m.sigmoid(gate.o) * m.tanh(c), c


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def forms() -> dict[str, tuple[dict, Any, tuple, Any]]:
    """Name to (options, x, shape of a state, reset)."""
    mask = np.random.default_rng(1).random((T, B)) < 0.3
    packed = pack_padded_sequence(draw(T, B, I), [3, 6, 1, 6], enforce_sorted=False)
    return {
        "dense": ({}, draw(T, B, I), (1, B, H), None),
        "batch first": ({"batch_first": True}, draw(B, T, I), (1, B, H), mask),
        "unbatched": ({"bidirectional": True}, draw(T, I), (2, H), mask[:, 0]),
        "unbatched, batch first": ({"batch_first": True}, draw(T, I), (1, H), None),
        "reset, layers": ({"num_layers": 3, "bias": False}, draw(T, B, I), (3, B, H), mask),
        "packed": ({"num_layers": 2, "bidirectional": True}, packed, (4, B, H), mask),
        "dropout": ({"num_layers": 2, "dropout": 0.4}, draw(T, B, I), (2, B, H), None),
    }


def flat(value: Any) -> Any:
    return getattr(value, "data", value) if isinstance(value, fastlstm.PackedSequence) else value


@pytest.mark.parametrize("form", forms())
def test_an_lstm_written_as_a_step_is_the_lstm(form: str) -> None:
    options, x, shape, reset = forms()[form]
    state = draw(*shape, seed=1), draw(*shape, seed=2)
    ours = Recurrent(own_lstm, I, H, **options, dtype=np.float64, seed=3)
    theirs = LSTM(I, H, **options, dtype=np.float64, seed=3)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    np.testing.assert_array_equal(ours.weight_hh_l0, theirs.weight_hh_l0)
    results = []
    for layer in (ours, theirs):
        output, final = layer(x, state, reset=reset)
        grad = flat(output) * 2 + 1
        grad = output._replace(data=grad) if isinstance(output, fastlstm.PackedSequence) else grad
        grad_x, grad_state = layer.backward(grad, (None, final[1] + 1))
        results.append([*map(flat, (output, *final, grad_x, *grad_state)), *layer.grad.values()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_the_states_after_every_step() -> None:
    layer = Recurrent(own_lstm, I, H, 2, bidirectional=True, dtype=np.float64, seed=0)
    x = draw(T, B, I)
    output, (h_n, c_n), states = layer(x, all_states=True)
    np.testing.assert_array_equal(states[0], output)
    assert states[1].shape == (T, B, 2 * H)
    np.testing.assert_array_equal(states[1][-1, :, :H], c_n[2])
    np.testing.assert_array_equal(states[1][0, :, H:], c_n[3])
    np.testing.assert_array_equal(states[0][-1, :, :H], h_n[2])
    # what enters step t + 1 is what left step t
    forward = Recurrent(own_lstm, I, H, dtype=np.float64, seed=0)
    _, _, (h, c) = forward(x, all_states=True)
    _, (h_n, c_n) = forward(x[3:], (h[2:3], c[2:3]))
    np.testing.assert_allclose(h_n[0], h[-1])
    np.testing.assert_allclose(c_n[0], c[-1])


def test_gradients_of_the_states_after_every_step_are_those_of_final_ones_at_the_end() -> None:
    layer = Recurrent(own_lstm, I, H, dtype=np.float64, seed=0)
    x, grad = draw(T, B, I), draw(1, B, H)
    layer(x)
    due, _ = layer.backward(None, (None, grad))
    layer(x, all_states=True)
    every = np.zeros((T, B, H))
    every[-1] = grad[0]
    found, _ = layer.backward(None, None, grad_all_states=(None, every))
    np.testing.assert_allclose(found, due)
    assert np.abs(due).max() > 0.01


@pytest.mark.parametrize("form", ["dense", "batch first", "unbatched", "packed"])
def test_step_inputs_in_every_form_and_their_gradients(form: str) -> None:
    """Against the dense form with the same numbers; `drive` is one number for each sample and step, then (B, H)."""
    lengths = [3, 6, 1, 6]
    x, dt = draw(T, B, I), abs(draw(T, B, H, seed=1))
    for drive in (draw(T, B, 1, seed=2), draw(B, H, seed=3)):
        for layers in (1, 2):
            dense = Recurrent(driven, I, H, layers, dtype=np.float64, seed=0)
            other = Recurrent(driven, I, H, layers, batch_first=form == "batch first", dtype=np.float64, seed=0)
            weight = draw(T, B, H, seed=4)
            if form == "packed":
                weight *= (np.arange(T)[:, None] < lengths)[:, :, None]
            if form == "unbatched":
                weight[:, 1:] = 0

            def there(a: np.ndarray) -> Any:
                if form == "batch first":
                    return np.ascontiguousarray(a.swapaxes(0, 1)) if a.ndim == 3 else a
                if form == "unbatched":
                    return a[:, 0] if a.ndim == 3 else a[0]
                if form == "packed" and a.ndim == 3:
                    return pack_padded_sequence(a, lengths, enforce_sorted=False)
                return a

            dense(x, step={"dt": dt, "drive": drive})
            _, _, due = dense.backward(weight)
            other(there(x), step={"drive": there(drive), "dt": there(dt)})
            _, _, found = other.backward(there(weight))
            assert list(found) == ["dt", "drive"]
            for name, value in (("dt", dt), ("drive", drive)):
                expected = there(due[name])
                assert type(found[name]) is type(there(value))
                assert flat(found[name]).shape == flat(there(value)).shape
                np.testing.assert_allclose(flat(found[name]), flat(expected), rtol=1e-10, atol=1e-13)
            for name, value in dense.grad.items():
                np.testing.assert_allclose(other.grad[name], value, rtol=1e-10, atol=1e-13)


def test_gates_made_outside_and_heads() -> None:
    """input="none" with heads, against one dense layer a head."""
    N, width = 2, 3
    layer = Recurrent(gates_outside, 4 * 6, 6, num_heads=N, dtype=np.float64, seed=0)
    assert set(layer.state_dict()) == {"weight_hh_l0", "bias_hh_l0"}
    assert layer.weight_hh_l0.shape == (N, 4 * width, width)
    x = draw(T, B, 24)
    output, _ = layer(x)
    for head in range(N):
        units = slice(head * width, (head + 1) * width)
        alone = LSTM(4 * width, width, dtype=np.float64)
        alone.load_state_dict({
            "weight_ih_l0": np.eye(4 * width),
            "weight_hh_l0": layer.weight_hh_l0[head],
            "bias_ih_l0": np.zeros(4 * width),
            "bias_hh_l0": layer.bias_hh_l0.reshape(4, 6)[:, units].ravel(),
        })  # fmt: skip
        part = np.ascontiguousarray(x.reshape(T, B, 4, 6)[..., units].reshape(T, B, -1))
        np.testing.assert_allclose(output[..., units], alone(part)[0], rtol=1e-10, atol=1e-12)


def test_one_state_is_one_array() -> None:
    layer = Recurrent(cells.minGRU, I, H, seed=0)
    x = draw(T, B, I).astype(np.float32)
    output, h_n = layer(x, np.ones((1, B, H), np.float32))
    assert h_n.shape == (1, B, H)
    grad_x, grad_h_0 = layer.backward(output, h_n)
    assert (grad_x.shape, grad_h_0.shape) == (x.shape, h_n.shape)
    with pytest.raises(TypeError, match="minGRU has one state, h"):
        layer(x, (h_n,))


def test_first_values_of_unit_parameters() -> None:
    names = ["p_i", "p_f", "p_o"]
    layer = Recurrent(cells.PeepholeLSTM, I, H, 2, bidirectional=True, unit={"p_i": 0.5, "p_f": np.arange(7.0)}, seed=0)
    for suffix in ("l0", "l0_reverse", "l1", "l1_reverse"):
        assert (layer.state_dict()[f"p_i_{suffix}"] == 0.5).all()
        np.testing.assert_array_equal(layer.state_dict()[f"p_f_{suffix}"], np.arange(7))
        drawn = layer.state_dict()[f"p_o_{suffix}"]
        assert 0 < np.abs(drawn).max() <= H**-0.5
    assert [name for name in layer.state_dict() if name.endswith("l0")][-3:] == [f"{name}_l0" for name in names]


def test_a_layer_is_trained_saved_copied_and_pickled(tmp_path) -> None:  # type: ignore[no-untyped-def]
    layer = Recurrent(cells.PeepholeLSTM, I, H, 2, seed=0)
    x = draw(T, B, I).astype(np.float32)
    optimiser = fastlstm.Adam([layer], lr=0.01)
    first = None
    for _ in range(20):
        output, _ = layer(x)
        loss, grad = fastlstm.mse_loss(output, np.ones_like(output))
        first = loss if first is None else first
        layer.zero_grad()
        layer.backward(grad)
        optimiser.step()
    assert loss < 0.9 * first
    fastlstm.save(layer.state_dict(), tmp_path / "own.safetensors")
    other = Recurrent(cells.PeepholeLSTM, I, H, 2, seed=1)
    other.load_state_dict(fastlstm.load(tmp_path / "own.safetensors"))
    due = layer.eval()(x)[0]
    for twin in (other.eval(), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x)[0], due)


def test_the_sizes_are_attributes_as_torchs() -> None:
    layer = Recurrent(cells.sLSTM, 5, 8, 2, False, True, 0.1, True, num_heads=4)
    assert repr(layer) == (
        "Recurrent(sLSTM, 5, 8, num_layers=2, bias=False, batch_first=True, bidirectional=True, num_heads=4, "
        "dropout=0.1)"
    )
    found = (layer.cell, layer.input_size, layer.hidden_size, layer.num_layers, layer.bias, layer.batch_first)
    assert found == (cells.sLSTM, 5, 8, 2, False, True)
    assert (layer.bidirectional, layer.num_heads, layer.dropout) == (True, 4, 0.1)
    with pytest.raises(AttributeError):
        layer.hidden_size = 9


x, state = np.zeros((T, B, I), np.float32), np.zeros((1, B, H), np.float32)
dt, drive = np.zeros((T, B, H), np.float32), np.zeros((B, H), np.float32)
lstm, with_steps = Recurrent(own_lstm, I, H), Recurrent(driven, I, H)

WRONG_CALLS = {
    "one state of two": (lambda: lstm(x, state), TypeError, r"state is a numpy.ndarray, expected tuple \(h, c\)"),
    "three states": (lambda: lstm(x, (state,) * 3), ValueError, "3 entries, expected the 2 of"),
    "states batch first": (lambda: lstm(x, (state, np.zeros((B, 1, H), np.float32))), ValueError, "never batch-first"),
    "no step": (lambda: with_steps(x), ValueError, "missing dt, drive; the step inputs of driven are dt, drive"),
    "step too many": (lambda: lstm(x, step={"dt": dt}), ValueError, "unexpected dt; own_lstm has no step inputs"),
    "step no dict": (lambda: with_steps(x, step=dt), TypeError, "step is a numpy.ndarray, expected dict"),
    "step exchanged": (lambda: with_steps(x, step={"dt": dt.swapaxes(0, 1), "drive": drive}), ValueError,
                       "time and batch are exchanged"),
    "step without features": (lambda: with_steps(x, step={"dt": dt[..., 0], "drive": drive}), ValueError,
                              r"a\[..., None\]"),
    "step of two features": (lambda: with_steps(x, step={"dt": dt[..., :2], "drive": drive}), ValueError,
                             r"step\['dt'\] has shape \(6, 4, 2\), expected \(T, B, H\) = \(6, 4, 7\)"),
    "step of another dtype": (lambda: with_steps(x, step={"dt": dt.astype(float), "drive": drive}), ValueError,
                              "float64, expected float32"),
    "all_states no bool": (lambda: lstm(x, all_states=1), TypeError, "all_states is a int"),
    "no cell": (lambda: Recurrent(LSTM, I, H), TypeError, "fastlstm.cell"),
    "heads of a dense cell": (lambda: Recurrent(own_lstm, I, H, num_heads=7), ValueError, "recurrent='dense'"),
    "heads that do not divide": (lambda: Recurrent(cells.sLSTM, I, 7, num_heads=2), ValueError, "divisor of hidden"),
    "gates outside of another size": (lambda: Recurrent(gates_outside, I, 6), ValueError, r"G\*H = 4\*6 = 24"),
    "gates outside, stacked": (lambda: Recurrent(gates_outside, 24, 6, 2), ValueError, "num_layers is 2, expected 1"),
    "unit unknown": (lambda: Recurrent(cells.PeepholeLSTM, I, H, unit={"q": 1.0}), ValueError, "p_i, p_f, p_o"),
    "unit of another size": (lambda: Recurrent(cells.PeepholeLSTM, I, H, unit={"p_i": np.ones(3)}), ValueError,
                             r"\(H,\) = \(7,\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_is_told(name: str) -> None:
    call, error, message = WRONG_CALLS[name]
    with pytest.raises(error, match=message):
        call()


def test_backward_needs_a_forward_and_a_gradient() -> None:
    layer = Recurrent(own_lstm, I, H, seed=0)
    with pytest.raises(RuntimeError, match="no forward"):
        layer.backward(np.zeros((T, B, H), np.float32))
    layer(x)
    with pytest.raises(ValueError, match="all states are None"):
        layer.backward(None)
    with pytest.raises(TypeError, match="grad_all_states"):
        layer.backward(None, grad_all_states=(None,))
