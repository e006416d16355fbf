"""A layer made from Keras's weights computes what Keras computed, as recorded in keras.npz by record_keras.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastlstm

with np.load(Path(__file__).with_name("keras.npz")) as file:
    RECORDED = dict(file)

CASES: dict[str, tuple[type, dict[str, Any]]] = {
    "LSTM": (fastlstm.LSTM, {}),
    "LSTM-bidirectional-2": (fastlstm.LSTM, {"num_layers": 2, "bidirectional": True}),
    "LSTM-no-bias": (fastlstm.LSTM, {}),
    "GRU": (fastlstm.GRU, {}),
    "GRU-bidirectional-2": (fastlstm.GRU, {"num_layers": 2, "bidirectional": True}),
    "SimpleRNN-2": (fastlstm.RNN, {"num_layers": 2}),
    "SimpleRNN-relu": (fastlstm.RNN, {"nonlinearity": "relu"}),
}


def weights(name: str) -> list[np.ndarray]:
    """What Keras's get_weights() gave, of all layers."""
    return [RECORDED[key] for key in sorted(RECORDED) if key.startswith(f"{name}/weight/")]


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"num_layers": 10**9}, ValueError, "there are 3 weights, expected 3000000000"),
        ({"masked": True}, TypeError, r"weights\[0\] is a numpy.ma.MaskedArray"),
        ({"dtype": np.int64}, ValueError, r"weights\[0\] is int64, expected a float dtype"),
    ],
)
def test_what_are_no_weights_is_refused(change: dict[str, Any], error: type[Exception], told: str) -> None:
    given = [value.astype(change.pop("dtype", np.float32)) for value in weights("LSTM")]
    given = [np.ma.masked_array(value, True) for value in given] if change.pop("masked", False) else given
    with pytest.raises(error, match=told):
        fastlstm.LSTM.from_keras_weights(given, **change)


def test_every_recorded_case_is_tested() -> None:
    assert {key.partition("/")[0] for key in RECORDED} == {"x", *CASES}


@pytest.mark.parametrize("name", CASES)
def test_keras_s_weights_give_keras_s_output(name: str) -> None:
    kind, options = CASES[name]
    layer = kind.from_keras_weights(weights(name), **options)  # type: ignore[attr-defined]
    assert type(layer) is kind
    assert layer.config.bias == ("no-bias" not in name)
    output, _ = layer.eval()(RECORDED["x"])
    np.testing.assert_allclose(output, RECORDED[f"{name}/output"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_there_and_back_gives_the_same_arrays(name: str) -> None:
    kind, options = CASES[name]
    again = kind.from_keras_weights(weights(name), **options).to_keras_weights()  # type: ignore[attr-defined]
    assert len(again) == len(weights(name))
    for found, given in zip(again, weights(name), strict=True):
        np.testing.assert_array_equal(found, given)
        assert found.dtype == given.dtype
        assert found.flags.c_contiguous


@pytest.mark.parametrize("kind", [fastlstm.LSTM, fastlstm.GRU, fastlstm.RNN])
def test_back_and_there_gives_the_same_layer(kind: type) -> None:
    """Two biases become one, where Keras has one: the sum is what counts."""
    options: dict[str, Any] = {"num_layers": 2, "bidirectional": True}
    layer = kind(3, 4, **options, dtype=np.float64, seed=0)
    again = kind.from_keras_weights(layer.to_keras_weights(), **options, batch_first=False)  # type: ignore[attr-defined]
    assert again.dtype == np.float64
    assert again.config == layer.config
    x = np.random.default_rng(1).normal(size=(5, 2, 3))
    np.testing.assert_allclose(again(x)[0], layer(x)[0], rtol=1e-12)


def test_the_rest_of_the_constructor() -> None:
    layer = fastlstm.RNN.from_keras_weights(weights("SimpleRNN-2"), num_layers=2, batch_first=False, dropout=0.5)
    assert (layer.dropout, layer.config.batch_first) == (0.5, False)
    assert fastlstm.LSTM.from_keras_weights(weights("LSTM")).config.batch_first


def changed(name: str, index: int, value: Any) -> list[Any]:
    found: list[Any] = weights(name)
    found[index] = value
    return found


ZEROS = np.zeros((3, 16), np.float32)


@pytest.mark.parametrize(
    ("kind", "given", "options", "error", "message"),
    [
        (fastlstm.LSTM, ZEROS, {}, TypeError, "weights is a numpy.ndarray, expected list of numpy arrays"),
        (fastlstm.LSTM, [ZEROS, None], {}, TypeError, "weights[1] is a NoneType"),
        (fastlstm.LSTM, [ZEROS], {}, ValueError, "there are 1 weights, expected 3 (or 2 without bias)"),
        (fastlstm.LSTM, weights("LSTM"), {"num_layers": 2}, ValueError, "there are 3 weights, expected 6"),
        (fastlstm.LSTM, weights("LSTM") * 2, {}, ValueError, "num_layers and bidirectional say how many"),
        (fastlstm.LSTM, changed("LSTM", 1, ZEROS[0]), {}, ValueError, "weights[1] has shape (16,), expected (H, G*H)"),
        (fastlstm.LSTM, weights("GRU"), {}, ValueError, "kernel of l0 has shape (3, 12), expected (I, G*H) = (3, 16)"),
        (fastlstm.GRU, changed("GRU", 2, np.zeros(12, np.float32)), {}, ValueError, "reset_after=False"),
        (fastlstm.LSTM, changed("LSTM", 1, np.zeros((16, 4))), {}, ValueError, "l0 has shape"),
        (
            fastlstm.GRU,
            weights("GRU") * 2,
            {"num_layers": 2},
            ValueError,
            "kernel of l1 has shape (3, 12), expected (I, G*H) = (4, 12)",
        ),
        (
            fastlstm.LSTM,
            [value.astype(np.float16) for value in weights("LSTM")],
            {},
            ValueError,
            "dtype is float16, expected float32 or float64",
        ),
        (fastlstm.LSTM, weights("LSTM"), {"num_layers": 0}, ValueError, "num_layers is 0, expected at least 1"),
        (fastlstm.LSTM, weights("LSTM"), {"units": 4}, TypeError, "units"),
    ],
)
def test_other_arrays_are_refused_by_name(
    kind: type, given: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        kind.from_keras_weights(given, **options)  # type: ignore[attr-defined]
    assert message in str(raised.value)


def test_a_projection_is_refused() -> None:
    with pytest.raises(ValueError, match="proj_size is 2: Keras has no projection"):
        fastlstm.LSTM(3, 4, proj_size=2).to_keras_weights()
