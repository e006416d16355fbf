"""The reference's gradients are the derivatives of its values, by central differences in float64."""

from __future__ import annotations

import numpy as np
import pytest
from fastlstm_lint.contract import Layer, sizes

from fastlstm import cells
from fastlstm.reference import Reference
from fastlstm.spec import Call, Grads, Stack

T, B, I, H = 4, 3, 3, 4
STEP = 1e-6  # error about STEP**2 from the formula and 1e-16/STEP from rounding

VARIANTS = {
    "plain": {},
    "no bias": {"bias": False},
    "batch first": {"batch_first": True},
    "both directions, two layers": {"bidirectional": True, "num_layers": 2},
    "three layers": {"num_layers": 3},
}
CASES = [
    pytest.param(Layer(kind, I, H, nonlinearity=nonlinearity, **variant), id=f"{kind} {nonlinearity}: {name}")
    for kind, nonlinearity in [("LSTM", "tanh"), ("GRU", "tanh"), ("RNN", "tanh"), ("RNN", "relu")]
    for name, variant in VARIANTS.items()
] + [
    pytest.param(Layer("LSTM", I, H, proj_size=2), id="LSTM: projected"),
    pytest.param(
        Layer("LSTM", I, H, num_layers=2, proj_size=3, bidirectional=True), id="LSTM: projected, stacked, both ways"
    ),
]
CASES += [
    pytest.param(Stack(name, I, H, cell=getattr(cells, name), **variant), id=f"{name}: {case}")
    for name in ("PeepholeLSTM", "LayerNormGRU", "ResetBeforeGRU", "IndRNN", "minGRU")
    for case, variant in VARIANTS.items()
]


def inputs(config: Layer, rng: np.random.Generator, *, packed: bool) -> dict:
    """A call of random values, with reset and dropout masks, and weights of the output and states for a scalar loss."""
    batch_sizes = np.array([3, 3, 2, 1]) if packed else None
    rows = (int(batch_sizes.sum()),) if batch_sizes is not None else ((B, T) if config.batch_first else (T, B))
    width = config.directions * config.output_size
    return {
        "parameters": {name: rng.normal(size=sizes(s)) / 2 for name, s in config.parameters().items()},
        "x": rng.normal(size=(*rows, I)),
        "states": tuple(rng.normal(size=sizes(shape)) for shape in config.states(B).values()),
        "batch_sizes": batch_sizes,
        "reset": rng.random((T, B)) < 0.3,
        "masks": [(rng.random((*rows, width)) < 0.7) / 0.7 for _ in range(config.num_layers - 1)],
        "grad_output": rng.normal(size=(*rows, width)),
        "grad_states": tuple(rng.normal(size=sizes(shape)) for shape in config.states(B).values()),
    }


def call(engine: Reference, case: dict, *, train: bool):
    options = {name: case[name] for name in ("batch_sizes", "reset", "masks")}
    return engine.forward(case["parameters"], 0, case["x"], case["states"], Call(train, **options))


def derivative(loss, array: np.ndarray, direction: np.ndarray) -> float:
    """How fast the loss grows when `array` moves along `direction`."""
    value = array.copy()
    array[...] = value + STEP * direction
    above = loss()
    array[...] = value - STEP * direction
    below = loss()
    array[...] = value
    return (above - below) / (2 * STEP)


@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
@pytest.mark.parametrize("config", CASES)
def test_gradients_are_the_derivatives_of_the_values(config: Layer, packed: bool) -> None:
    case = inputs(config, np.random.default_rng(5), packed=packed)
    engine = Reference(config, np.dtype(np.float64))

    def loss() -> float:
        output, states, _ = call(engine, case, train=False)
        pairs = [(output, case["grad_output"]), *zip(states, case["grad_states"], strict=True)]
        return float(sum(np.vdot(value, weight) for value, weight in pairs))

    _, _, saved = call(engine, case, train=True)
    grad_x, grad_states, grads = engine.backward(
        case["parameters"], 0, saved, Grads(case["grad_output"], case["grad_states"])
    )
    assert list(grads) == list(case["parameters"])
    checks = {"x": (grad_x, case["x"])}
    checks |= {f"state {k}": pair for k, pair in enumerate(zip(grad_states, case["states"], strict=True))}
    checks |= {name: (grads[name], case["parameters"][name]) for name in grads}
    for name, (found, array) in checks.items():
        for direction in np.random.default_rng(8).normal(size=(4, *array.shape)):
            expected = derivative(loss, array, direction)
            np.testing.assert_allclose(np.vdot(found, direction), expected, rtol=1e-6, atol=1e-7, err_msg=name)


def test_absent_gradients_are_zeros() -> None:
    config = Layer("LSTM", I, H, num_layers=2)
    case = inputs(config, np.random.default_rng(6), packed=False)
    engine = Reference(config, np.dtype(np.float64))
    results = []
    for grad_output, grad_states in [(None, (None, None)), (0 * case["grad_output"], (None, 0 * case["states"][1]))]:
        _, _, saved = call(engine, case, train=True)
        results.append(engine.backward(case["parameters"], 0, saved, Grads(grad_output, grad_states)))
    np.testing.assert_array_equal(results[0][0], np.zeros_like(case["x"]))
    np.testing.assert_array_equal(results[1][0], results[0][0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
def test_reset_equals_running_the_parts_apart(kind: str, packed: bool) -> None:
    """A reset at step 2 cuts both directions there; the first part has the initial state of the forward direction, the
    second that of the reverse one. In the packed case the third sequence ends before the cut, and its mask beyond its
    end has no meaning: in reverse it starts from its own initial state.
    """
    config = Layer(kind, I, H, bidirectional=True)
    case = inputs(config, np.random.default_rng(7), packed=packed)
    case["reset"] = np.zeros((T, B), bool)
    case["reset"][2, :] = True
    batch_sizes = np.array([3, 3, 2, 2]) if packed else np.array([3, 3, 3, 3])
    case["batch_sizes"] = batch_sizes
    case["x"] = np.random.default_rng(8).normal(size=(batch_sizes.sum(), I))
    engine = Reference(config, np.dtype(np.float64))
    rows, states, _ = call(engine, case, train=False)

    alive = batch_sizes[2]
    zeros = [np.zeros_like(state) for state in case["states"]]
    early, late = [], []
    for zero, given in zip(zeros, case["states"], strict=True):
        reverse = np.concatenate([zero[1, :alive], given[1, alive:]])
        early.append(np.stack([given[0], reverse]))
        late.append(np.stack([zero[0, :alive], given[1, :alive]]))
    (first, after_first, _), (second, after_second, _) = (
        engine.forward(case["parameters"], 0, x, tuple(states_0), Call(False, sizes))
        for x, states_0, sizes in ((case["x"][:6], early, batch_sizes[:2]), (case["x"][6:], late, batch_sizes[2:]))
    )
    np.testing.assert_allclose(rows, np.concatenate([first, second]), rtol=1e-12)
    for state, one, two in zip(states, after_first, after_second, strict=True):
        np.testing.assert_allclose(state[0], np.concatenate([two[0], one[0, alive:]]), rtol=1e-12)
        np.testing.assert_allclose(state[1], one[1], rtol=1e-12)
