"""Narrow layers with samples as lanes against the reference, and which calls are computed so."""

import numpy as np
import pytest
from fastlstm_lint.contract import Layer

from fastlstm import cells
from fastlstm.engine import Engine, get_num_threads, set_num_threads
from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import Sizes
from fastlstm.engine.samples import FEWEST, reason_against
from fastlstm.engine.weights import Weights
from fastlstm.reference import Reference
from fastlstm.spec import INFERENCE, TRAINING, Call, Grads, Stack

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


class Case:
    """Random parameters and arrays of one call."""

    def __init__(self, config: Layer, T: int, B: int, dtype: str, extras: bool) -> None:
        draw = np.random.default_rng([15, config.hidden_size, B])
        self.config, self.dtype = config, dtype

        def normal(*shape):
            return draw.standard_normal(shape).astype(dtype)

        self.parameters = {
            name: normal(*(axis.size for axis in shape)) / np.asarray(config.hidden_size**0.5, dtype)
            for name, shape in config.parameters().items()
        }
        shape = (B, T) if config.batch_first else (T, B)
        self.x = normal(*shape, config.input_size)
        self.states = self.keywords = None
        self.keywords = {}
        if extras:
            states = (config.num_layers, B, config.hidden_size)
            self.states = tuple(normal(*states) for _ in config.state_names)
            masks = [normal(*shape, config.hidden_size) for _ in range(config.num_layers - 1)]
            self.keywords = {"reset": draw.random((T, B)) < 0.2, "masks": masks, "all_states": True}

    def run(self, engine) -> dict[str, np.ndarray]:
        """Every result of one forward and backward by name."""
        output, finals, saved, *every = engine.forward(
            self.parameters, 1, self.x, self.states, Call(True, **self.keywords)
        )
        draw = np.random.default_rng(7)
        like = [output, *finals, *(every[0] if every else ())]
        first, *others = (draw.standard_normal(array.shape).astype(self.dtype) for array in like)
        grads = Grads(first, tuple(others[: len(finals)]), tuple(others[len(finals) :]))
        grad_x, grad_states, gradients = engine.backward(self.parameters, 1, saved, grads)
        named = {"output": output, "grad_x": grad_x} | gradients
        for name, arrays in (("final", finals), ("grad_state", grad_states), ("every", every[0] if every else ())):
            named |= {f"{name} {n}": array for n, array in enumerate(arrays)}
        return named


CASES = [
    (Layer("LSTM", 5, 20), 40, 48, "float32", False),  # whole groups, several chunks of time
    (Layer("LSTM", 3, 25, 3, batch_first=True), 9, 47, "float32", True),
    (Layer("LSTM", 1, 32, bias=False), 5, 64, "float32", True),
    (Layer("LSTM", 40, 1), 1, 37, "float32", True),
    (Layer("GRU", 9, 13, 2), 7, 38, "float32", True),
    (Layer("RNN", 2, 3, 2, nonlinearity="relu"), 6, 50, "float32", True),
    (Layer("GRU", 5, 8), 33, 35, "float64", True),
    (Stack("MGU", 4, 11, 2, cell=cells.MGU), 6, 45, "float32", True),  # a user's
]


def _plan(engine):
    (plans,) = engine._idle.values()
    return getattr(plans[-1], "plan", plans[-1])


@pytest.mark.parametrize(("config", "T", "B", "dtype", "extras"), CASES, ids=lambda value: str(value))
def test_values_and_gradients_are_the_references(config, T, B, dtype, extras, threads):
    """With any number of threads; without training, the same bits."""
    case = Case(config, T, B, dtype, extras)
    truth = case.run(Reference(config, np.dtype(dtype)))
    before = None
    for count in (2, 1, 3):
        threads(count)
        engine = Engine(config, dtype)
        found = case.run(engine)
        assert _plan(engine).split == "samples"
        for name, expected in truth.items():
            limit = TOLERANCE[dtype] * np.abs(expected).max(initial=0)
            np.testing.assert_allclose(found[name], expected, rtol=0, atol=limit, err_msg=f"{count}: {name}")
        evaluated, _, _, *_ = engine.forward(case.parameters, 1, case.x, case.states, Call(False, **case.keywords))
        np.testing.assert_array_equal(evaluated, found["output"])
        for name, value in (before or {}).items():
            if name not in case.parameters:  # whose sums are cut as the samples are
                np.testing.assert_array_equal(found[name], value, err_msg=f"{count}: {name}")
        before = found


def test_the_same_bits_again_and_where_x_wants_no_gradient(threads):
    threads(2)
    case = Case(*CASES[4])
    engine = Engine(case.config, case.dtype)
    first, second = case.run(engine), case.run(engine)
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)
    output, finals, saved = engine.forward(case.parameters, 1, case.x, None, TRAINING)
    none = (None,) * len(finals)
    wanted = engine.backward(case.parameters, 1, saved, Grads(np.ones_like(output), none))
    saved = engine.forward(case.parameters, 1, case.x, None, TRAINING)[2]
    skipped = engine.backward(case.parameters, 1, saved, Grads(np.ones_like(output), none, (), False))
    assert skipped[0] is None
    for name, value in wanted[2].items():
        np.testing.assert_array_equal(skipped[2][name], value, err_msg=name)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_sample(poison):
    """And weights that are not finite poison no more than the reference's: lanes behind the last sample add nothing."""
    config, B = Layer("LSTM", 3, 5), 37
    case = Case(config, 4, B, "float32", False)
    engine = Engine(config, "float32")
    expected = engine.forward(case.parameters, 1, case.x, None, INFERENCE)[0]
    case.x[2, 1, 0] = poison
    output = engine.forward(case.parameters, 1, case.x, None, INFERENCE)[0]
    others = np.arange(B) != 1
    np.testing.assert_array_equal(output[:, others], expected[:, others])
    case.x[...] = 1  # so that infinite weights make no NaN in a sample
    case.parameters["weight_ih_l0"][-1] = np.inf  # the output gate of the last unit opens
    with np.errstate(all="ignore"):
        truth, found = case.run(Reference(config, np.dtype(np.float32))), case.run(Engine(config, "float32"))
    for name, value in truth.items():
        np.testing.assert_array_equal(np.isfinite(found[name]), np.isfinite(value), err_msg=name)


def _reason(config: Layer, sizes: Sizes) -> str | None:
    layout = Layout(config, np.dtype(np.float32))
    return reason_against(layout, Weights(layout), sizes)


def test_who_is_computed_so():
    """Whole registers of samples, one direction, at most 32 units; threads change nothing."""
    for count in (1, 2, 16):
        assert _reason(Layer("LSTM", 5, 32), Sizes(9, 64, True, count)) is None
    assert _reason(Layer("LSTM", 5, 33), Sizes(9, 64, True, 2))
    assert _reason(Layer("LSTM", 5, 20, bidirectional=True), Sizes(9, 64, True, 2))
    assert _reason(Layer("LSTM", 5, 20, proj_size=4), Sizes(9, 64, True, 2))
    assert "fewer than" in _reason(Layer("LSTM", 5, 20), Sizes(9, FEWEST - 1, True, 2))
    assert "fewer than" in _reason(Layer("LSTM", 5, 20), Sizes(0, 64, True, 2))
    assert "lengths" in _reason(Layer("LSTM", 5, 20), Sizes(2, 64, True, 2, (64, 30)))
    assert "asked" in _reason(Layer("LSTM", 5, 20), Sizes(9, 64, True, 2, split="batch"))
