"""The compiled engine against the reference: values, states and every gradient, however the work is split."""

import numpy as np
import pytest
from fastlstm_lint.contract import Layer

from fastlstm.engine import Engine, get_num_threads, set_num_threads
from fastlstm.reference import Reference
from fastlstm.spec import INFERENCE, TRAINING, Call, Grads

TOLERANCE = {"float32": 3e-4, "float64": 1e-9}


class Case:
    """One random call, reproducible from its seed."""

    def __init__(self, seed: int) -> None:
        draw = self.draw = np.random.default_rng([2, seed])
        kind = draw.choice(["LSTM", "LSTM", "GRU", "RNN"])
        H = int(draw.choice([1, 7, 8, 9, 15, 16, 17, 33, 100]))
        self.config = Layer(
            str(kind),
            int(draw.choice([1, 5, 16, 33, 300])),
            H,
            int(draw.integers(1, 4)),
            bias=bool(draw.random() < 0.8),
            batch_first=bool(draw.random() < 0.3),
            bidirectional=bool(draw.random() < 0.4),
            proj_size=int(draw.integers(1, H)) if kind == "LSTM" and H > 1 and draw.random() < 0.25 else 0,
            nonlinearity=str(draw.choice(["tanh", "relu"])),
        )
        self.dtype = str(draw.choice(["float32", "float64"]))
        self.T, self.B = int(draw.integers(1, 40)), int(draw.integers(1, 20))
        self.packed = bool(draw.random() < 0.3)
        self.reset = draw.random((self.T, self.B)) < 0.2 if draw.random() < 0.3 else None
        self.has_states = bool(draw.random() < 0.7)
        self.masked = bool(draw.random() < 0.3)
        self.threads = int(draw.choice([1, 2, 3]))
        self.split = draw.choice([None, "batch", "units", "layers"])
        self.split = None if self.split is None else str(self.split)
        self.all_states = bool(draw.random() < 0.3)

    def __str__(self) -> str:
        form = f"packed={self.packed} all_states={self.all_states}"
        return f"{self.config} T={self.T} B={self.B} {self.dtype} {form} {self.split} x{self.threads}"

    def arrays(self):
        """Parameters, x, states and the keyword arguments of forward."""
        draw, config = self.draw, self.config

        def normal(*shape, scale=1.0):
            return (draw.standard_normal(shape) * scale).astype(self.dtype)

        scale = 1 / np.sqrt(config.hidden_size)
        parameters = {
            name: normal(*(axis.size for axis in shape), scale=scale) for name, shape in config.parameters().items()
        }
        batch_sizes = None
        shape = (self.B, self.T) if config.batch_first else (self.T, self.B)
        if self.packed:
            lengths = np.sort(draw.integers(1, self.T + 1, self.B))[::-1]
            lengths[0] = self.T
            batch_sizes = (lengths[None] > np.arange(self.T)[:, None]).sum(1).astype(np.int64)
            shape = (int(batch_sizes.sum()),)
        x = normal(*shape, config.input_size)
        count = config.num_layers * config.directions
        widths = {"h": config.output_size, "c": config.hidden_size}
        states = tuple(normal(count, self.B, widths[name]) for name in config.state_names) if self.has_states else None
        masks = []
        if self.masked:
            width = config.directions * config.output_size
            masks = [
                ((draw.random((*shape, width)) < 0.7) / 0.7).astype(self.dtype) for _ in range(config.num_layers - 1)
            ]
        return parameters, x, states, {"batch_sizes": batch_sizes, "reset": self.reset, "masks": masks}


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def run(case: Case, engine, parameters, x, states, keywords):
    """Every result of one forward and backward by name."""
    more = {"all_states": True} if case.all_states else {}
    output, finals, saved, *every = engine.forward(parameters, 1, x, states, Call(True, **keywords, **more))
    draw = np.random.default_rng(7)
    grad_output = draw.standard_normal(output.shape).astype(case.dtype)
    grad_finals = tuple(draw.standard_normal(state.shape).astype(case.dtype) for state in finals)
    grad_every = tuple(draw.standard_normal(state.shape).astype(case.dtype) for state in every[0]) if every else ()
    grad_x, grad_states, gradients = engine.backward(parameters, 1, saved, Grads(grad_output, grad_finals, grad_every))
    named = {"output": output, "grad_x": grad_x} | gradients
    named |= {f"every {n}": state for n, state in enumerate(every[0])} if every else {}
    named |= {f"final {n}": state for n, state in enumerate(finals)}
    return named | {f"grad_state {n}": state for n, state in enumerate(grad_states)}


@pytest.mark.parametrize("seed", range(70))
def test_values_and_gradients_are_the_references(seed, threads):
    case = Case(seed)
    parameters, x, states, keywords = case.arrays()
    threads(case.threads)
    engine = Engine(case.config, case.dtype, split=case.split)
    found = run(case, engine, parameters, x, states, keywords)
    truth = run(case, Reference(case.config, np.dtype(case.dtype)), parameters, x, states, keywords)
    for name, expected in truth.items():
        scale = np.abs(expected).max(initial=0)
        tolerance = TOLERANCE[case.dtype]
        np.testing.assert_allclose(
            found[name], expected, rtol=tolerance, atol=tolerance * scale, err_msg=f"{case}: {name}"
        )
    evaluated, _, saved = engine.forward(parameters, 1, x, states, Call(False, **keywords))
    assert saved is None
    np.testing.assert_array_equal(evaluated, found["output"], err_msg=f"{case}: without training, the same bits")


@pytest.mark.parametrize("seed", range(100, 112))
def test_the_same_input_gives_the_same_bits(seed, threads):
    """On every call with the same threads; with others too, but for weight gradients, which sum slice by slice."""
    case = Case(seed)
    parameters, x, states, keywords = case.arrays()
    engine = Engine(case.config, case.dtype)
    results = []
    for count in (2, 2, 1, 3):
        threads(count)
        results.append(run(case, engine, parameters, x, states, keywords))
    for number, other in enumerate(results[1:]):
        for name, value in results[0].items():
            if number == 0 or name not in parameters:
                np.testing.assert_array_equal(other[name], value, err_msg=f"{case}: {name}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_deep_products_are_the_same_however_few_rows_a_thread_has(dtype, threads):
    """Five rows are one tile, which goes through all of its depth at once; fifteen are several, which stop for each
    other at every block of it."""
    case = Case(0)
    case.config, case.dtype, case.T, case.B = Layer("LSTM", 1100, 140), dtype, 3, 5
    case.packed, case.reset, case.masked, case.all_states = False, None, False, False
    parameters, x, states, keywords = case.arrays()
    engine, results = Engine(case.config, dtype), []
    for count in (1, 2, 3):
        threads(count)
        results.append(run(case, engine, parameters, x, states, keywords))
    for name in ("output", "grad_x", "grad_state 0"):
        for other in results[1:]:
            np.testing.assert_array_equal(other[name], results[0][name], err_msg=name)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_sample(kind, poison):
    config = Layer(kind, 5, 13, 2)
    draw = np.random.default_rng(3)
    parameters = {
        name: draw.standard_normal([axis.size for axis in shape]).astype(np.float32)
        for name, shape in config.parameters().items()
    }
    clean = draw.standard_normal((6, 4, 5)).astype(np.float32)
    dirty = clean.copy()
    dirty[2, 1, 3] = poison
    engine, reference = Engine(config, "float32"), Reference(config, np.dtype("float32"))
    others = [0, 2, 3]
    expected = engine.forward(parameters, 1, clean, None, INFERENCE)[0]
    output, _, saved = engine.forward(parameters, 1, dirty, None, TRAINING)
    np.testing.assert_array_equal(output[:, others], expected[:, others])
    with np.errstate(all="ignore"):
        truth, _, truth_saved = reference.forward(parameters, 1, dirty, None, TRAINING)
        truth_grad = reference.backward(
            parameters, 1, truth_saved, Grads(np.ones_like(truth), (None,) * len(config.state_names))
        )[0]
    np.testing.assert_array_equal(np.isnan(output), np.isnan(truth))
    grad = engine.backward(parameters, 1, saved, Grads(np.ones_like(output), (None,) * len(config.state_names)))[0]
    np.testing.assert_array_equal(np.isnan(grad), np.isnan(truth_grad))
    assert np.isfinite(grad[:, others]).all()


def test_changed_parameters_are_packed_again_only_with_a_new_version():
    config = Layer("LSTM", 3, 4)
    engine = Engine(config, "float32")
    parameters = {
        name: np.ones([axis.size for axis in shape], np.float32) for name, shape in config.parameters().items()
    }
    x = np.ones((2, 1, 3), np.float32)
    first = engine.forward(parameters, 1, x, None, INFERENCE)[0]
    parameters["weight_ih_l0"] *= -1
    np.testing.assert_array_equal(engine.forward(parameters, 1, x, None, INFERENCE)[0], first)
    assert not np.array_equal(engine.forward(parameters, 2, x, None, INFERENCE)[0], first)


def test_plans_kept_for_reuse_are_few():
    """A thousand shapes leave no more plans behind than a handful."""
    config = Layer("LSTM", 3, 4)
    engine = Engine(config, "float32")
    parameters = {
        name: np.ones([axis.size for axis in shape], np.float32) for name, shape in config.parameters().items()
    }
    for n in range(1000):
        engine.forward(parameters, 1, np.ones((1 + n % 50, 1 + n % 7, 3), np.float32), None, Call(n % 3 == 0))
    assert sum(len(plans) for plans in engine._idle.values()) <= 8


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize(("I", "H"), [(5, 20), (1, 32), (2, 25), (1, 3)])
def test_narrow_layers(kind, I, H, threads):
    """Many tokens on few columns: sums of more than one block of depth, cut for one, two and three threads."""
    case = Case(0)
    case.config, case.dtype, case.T, case.B, case.packed = Layer(kind, I, H, bias=I != 2), "float32", 40, 19, False
    case.reset, case.masked, case.all_states = None, False, False
    parameters, x, states, keywords = case.arrays()
    truth = run(case, Reference(case.config, np.dtype("float32")), parameters, x, states, keywords)
    for count in (1, 2, 3):
        threads(count)
        found = run(case, Engine(case.config, "float32"), parameters, x, states, keywords)
        for name, expected in truth.items():
            limit = TOLERANCE["float32"] * np.abs(expected).max()
            np.testing.assert_allclose(found[name], expected, rtol=0, atol=limit, err_msg=f"{count}: {name}")


def test_a_gradient_of_x_that_nobody_wants(threads):
    """Left out for the first layer alone, in turn with calls that want it, and all others are the same bits."""
    case = Case(3)
    case.config, case.all_states = Layer("LSTM", 5, 17, 2, bidirectional=True), False
    parameters, x, states, keywords = case.arrays()
    engine = Engine(case.config, case.dtype)
    results = []
    for wants_x in (True, False, True):
        output, finals, saved = engine.forward(parameters, 1, x, states, Call(True, **keywords))
        grads = engine.backward(parameters, 1, saved, Grads(np.ones_like(output), finals, (), wants_x))
        results.append([grads[0], *grads[1], *grads[2].values()])
    assert results[1].pop(0) is None
    np.testing.assert_array_equal(results[0].pop(0), results[2].pop(0))
    for wanted, skipped, again in zip(*results, strict=True):
        np.testing.assert_array_equal(wanted, again)
        np.testing.assert_array_equal(wanted, skipped)
