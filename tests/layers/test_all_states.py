"""LSTM, GRU and RNN give the states after every step, and take their gradients: as the reference does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastlstm
from fastlstm import GRU, LSTM, RNN, pack_padded_sequence
from fastlstm.reference import Reference

T, B, I, H = 6, 4, 5, 7
LENGTHS = [3, 6, 1, 6]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def flat(value: Any) -> Any:
    return value.data if isinstance(value, fastlstm.PackedSequence) else value


def forms() -> dict[str, tuple[dict[str, Any], Any, tuple[int, ...], Any]]:
    """Name to (options, x, shape of a state, reset)."""
    mask = np.random.default_rng(1).random((T, B)) < 0.3
    packed = pack_padded_sequence(draw(T, B, I), LENGTHS, enforce_sorted=False)
    return {
        "dense": ({}, draw(T, B, I), (1, B, H), None),
        "batch first, both directions": (
            {"batch_first": True, "num_layers": 2, "bidirectional": True},
            draw(B, T, I),
            (4, B, H),
            mask,
        ),
        "unbatched": ({"bidirectional": True}, draw(T, I), (2, H), mask[:, 0]),
        "packed": ({"num_layers": 2, "bidirectional": True}, packed, (4, B, H), mask),
        "one step": ({}, draw(1, B, I), (1, B, H), None),
        "projected": ({"proj_size": 3, "num_layers": 2, "bidirectional": True}, draw(T, B, I), (4, B, H), mask),
        "projected, packed": ({"proj_size": 3, "num_layers": 2, "bidirectional": True}, packed, (4, B, H), mask),
        "projected, unbatched": ({"proj_size": 3}, draw(T, I), (1, H), None),
        "nobody": ({}, draw(T, 0, I), (1, 0, H), None),
    }


@pytest.mark.parametrize(
    ("cls", "form"),
    [(cls, form) for form in forms() for cls in (LSTM, GRU, RNN) if cls is LSTM or "projected" not in form],
)
def test_values_and_gradients_are_the_reference_s(cls: type, form: str) -> None:
    options, x, shape, reset = forms()[form]
    h = (*shape[:-1], options.get("proj_size", H))
    states = tuple(draw(*size, seed=n) for n, size in enumerate((h, shape)[: 2 if cls is LSTM else 1]))
    state = states if cls is LSTM else states[0]
    found = []
    for reference in (False, True):
        layer = cls(I, H, **options, dtype=np.float64, seed=3)
        if reference:
            layer._engine = Reference(layer.config, layer.dtype)
        output, final, every = layer(x, state, reset=reset, all_states=True)
        assert len(every) == len(states)
        np.testing.assert_array_equal(flat(every[0]), flat(output))
        assert [type(one) for one in every] == [type(output)] * len(states)
        grads = tuple(draw(*flat(one).shape, seed=5 + n) for n, one in enumerate(every))
        if isinstance(output, fastlstm.PackedSequence):
            grads = tuple(output._replace(data=grad) for grad in grads)
        grad_x, grad_state = layer.backward(None, None, grad_all_states=grads)
        as_tuple = [one if cls is LSTM else (one,) for one in (final, grad_state)]
        found.append([*map(flat, (*every, *as_tuple[0], grad_x, *as_tuple[1])), *layer.grad.values()])
    for ours, due in zip(*found, strict=True):
        np.testing.assert_allclose(ours, due, rtol=1e-9, atol=1e-11)


def test_the_gradient_of_the_output_is_added_to_that_of_the_first() -> None:
    lstm, x, grad = LSTM(I, H, dtype=np.float64, seed=0), draw(T, B, I), draw(T, B, H)
    lstm(x)
    due, _ = lstm.backward(3 * grad)
    lstm(x, all_states=True)
    found, _ = lstm.backward(grad, grad_all_states=(2 * grad, None))
    np.testing.assert_allclose(found, due)


def test_another_call_leaves_what_was_given_alone() -> None:
    """The plan of a call serves the next one of the same shape, which gives no states."""
    for train in (True, False):
        lstm, x = LSTM(I, H, dtype=np.float64, seed=0).train(train), draw(T, B, I)
        _, _, (_, c) = lstm(x, all_states=True)
        if train:
            lstm.backward(None, grad_all_states=(None, c))
        kept = c.copy()
        output, _ = lstm(-x)
        np.testing.assert_array_equal(c, kept)
        if train:
            fresh = LSTM(I, H, dtype=np.float64, seed=0)
            fresh(-x)
            np.testing.assert_array_equal(lstm.backward(output)[0], fresh.backward(output)[0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GRU(I, H)(np.zeros((T, B, I), np.float32), all_states=1), TypeError, "all_states is a int"),
        (lambda: trained().backward(None, grad_all_states=(None,)), TypeError,
         "grad_all_states is a tuple, expected tuple of 2: one for each of h, c"),
        (lambda: trained().backward(None, grad_all_states=(None, np.zeros((T, B, I)))), ValueError,
         "grad_all_states of c has shape"),
        (lambda: trained(proj_size=3).backward(None, grad_all_states=(None, np.zeros((T, B, 3)))), ValueError,
         r"grad_all_states of c has shape \(6, 4, 3\), expected \(6, 4, 7\), the shape of c after every step"),
        (lambda: trained().backward(None, grad_all_states=(None, None)), ValueError, "all states are None"),
    ],
)  # fmt: skip
def test_what_is_not_given_is_refused_by_name(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def trained(**options: int) -> LSTM:
    lstm = LSTM(I, H, **options, dtype=np.float64)
    lstm(draw(T, B, I))
    return lstm
