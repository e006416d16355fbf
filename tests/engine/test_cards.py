"""The kernels for a user's cell agree with the reference, values and gradients, in every form of a call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fastlstm_lint.contract import sizes

import fastlstm
from fastlstm import cells
from fastlstm.engine import Engine
from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import Sizes, choose
from fastlstm.engine.weights import Weights
from fastlstm.kernels.cards import reason_against
from fastlstm.reference import Reference
from fastlstm.spec import Call, Cell, Grads, Stack

T, B, I = 6, 5, 7
LENGTHS = np.array([5, 5, 4, 2, 2, 1])  # how many samples have each step


@fastlstm.cell(gates="i f z o", states="h c", recurrent="heads", input="none")
def gates_outside(m, gate, state):
    c = m.sigmoid(gate.f) * state.c + m.sigmoid(gate.i) * m.tanh(gate.z)
    return m.sigmoid(gate.o) * m.tanh(c), c


def everything_step(m, x, u, state, unit, step):
    """All functions, three states, units and steps, more values to store than there is room for in the gates."""
    a = m.softplus(x.a + u.b) + m.log_sigmoid(u.a * unit.w) + m.sin(state.p) * m.cos(step.s)
    b = m.layer_norm(x.b * u.b + step.t * state.p, unit.v) + m.exp(-m.abs(state.q))
    p = m.where((a > b) & ~(state.q >= 0.5), m.sqrt(a * a + 1), m.log(b * b + 0.5))
    q = m.clip(a * state.h, -0.5, 0.5) + m.minimum(a, b) * m.maximum(state.p, 0.1) + abs(b) ** 1.3
    h = m.tanh(p * q) / (1 + m.relu(b) ** 2)
    return h, m.tanh(p), m.sigmoid(q)


EVERYTHING = {"gates": "a b", "states": "h p q", "unit": "w v", "step": "s t"}
everything = fastlstm.cell(**EVERYTHING)(everything_step)
headed = fastlstm.cell(**EVERYTHING, recurrent="heads")(everything_step)


def agree(
    cell: Cell,
    dtype: type = np.float64,
    *,
    H: int = 21,
    packed: bool = False,
    static: bool = False,
    reset: bool = True,
    split: str | None = None,
    threads: int | None = None,
    **options: Any,
) -> None:
    """One call of both engines in training, one in inference."""
    size = len(cell.gates) * H if cell.input == "none" else I
    config = replace(Stack(cell.name, size, H, cell=cell), **options)
    L, D = config.num_layers, config.directions
    assert reason_against(cell) is None
    rng = np.random.default_rng([3, *cell.name.encode()])

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(dtype)

    batch_sizes = LENGTHS if packed else None
    lead = (int(LENGTHS.sum()),) if packed else (B, T) if config.batch_first else (T, B)
    parameters = {name: draw(*sizes(shape)) / 2 for name, shape in config.parameters().items()}
    x, grad = draw(*lead, size), draw(*lead, D * H)
    # sLSTM's normaliser is positive.
    states = tuple(rng.uniform(0.3, 1, sizes(shape)).astype(dtype) for shape in config.states(B).values())
    step = {name: draw(*((B,) if static else lead), 1 if n % 2 else H) for n, name in enumerate(cell.step)}
    grad_states, grad_all = tuple(draw(*s.shape) for s in states), tuple(draw(*grad.shape) for _ in states)
    call = {
        "batch_sizes": batch_sizes,
        "reset": rng.random((T, B)) < 0.3 if reset else None,
        "masks": [(rng.random((*lead, D * H)) < 0.7).astype(dtype) for _ in range(L - 1)],
        "step": step,
    }
    found = []
    for engine in (Reference(config, np.dtype(dtype)), Engine(config, dtype, split=split)):
        values: dict[str, np.ndarray] = {}
        for _ in range(2):  # the second time in memory that has been used
            output, final, saved, every = engine.forward(
                parameters, 0, x, states, Call(True, all_states=True, threads=threads, **call)
            )
            results = engine.backward(parameters, 0, saved, Grads(grad, grad_states, grad_all))
            inference, after, _ = engine.forward(parameters, 0, x, states, Call(False, threads=threads, **call))
        for name, group in {"final": final, "every": every, "initial": results[1], "after": after}.items():
            values |= {f"{name} {n}": value for n, value in enumerate(group)}
        values |= {"output": output, "inference": inference, "x": results[0], **results[2]}
        values |= {f"step {name}": gradient for name, gradient in (results[3] if step else {}).items()}
        found.append(values)
    due, ours = found
    assert list(due) == list(ours)
    tolerance = 1e-11 if dtype is np.float64 else 2e-5
    for name, value in due.items():
        scale = np.abs(value).max() + 1e-3
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=tolerance * scale, err_msg=name)


FORMS: dict[str, dict[str, Any]] = {
    "plain": {"reset": False},
    "batch first, both ways, no bias": {"batch_first": True, "bidirectional": True, "bias": False},
    "packed": {"packed": True, "bidirectional": True},
    "three layers": {"num_layers": 3},
    "three layers after each other": {"num_layers": 4, "split": "layers", "threads": 2},
    "two threads, each a part of the batch": {"split": "batch", "threads": 2},
    "two threads, each some units": {"H": 70, "split": "units", "threads": 2},
    "one unit": {"H": 1},
    "whole vectors": {"H": 64},
}


@pytest.mark.parametrize("form", FORMS)
def test_peephole_lstm_in_every_form(form: str) -> None:
    """Unit parameters, whose gradients are sums over tokens and threads."""
    agree(cells.PeepholeLSTM, **FORMS[form])


@pytest.mark.parametrize("form", ["plain", "packed", "batch first, both ways, no bias", "three layers"])
@pytest.mark.parametrize("static", [False, True], ids=["each step", "for all steps"])
def test_every_function_with_units_steps_and_means(form: str, static: bool) -> None:
    agree(everything, static=static, **FORMS[form])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in cells.SHELF if n not in ("PeepholeLSTM", "sLSTM")])
def test_the_shelf(name: str) -> None:
    agree(getattr(cells, name), np.float32)
    agree(getattr(cells, name), np.float32, packed=True, bidirectional=True, num_layers=2, H=8)


@pytest.mark.parametrize("form", ["plain", "packed", "batch first, both ways, no bias", "three layers"])
def test_heads(form: str) -> None:
    agree(cells.sLSTM, num_heads=3, **FORMS[form])


@pytest.mark.parametrize("form", ["plain", "packed", "batch first, both ways, no bias", "three layers"])
@pytest.mark.parametrize("static", [False, True], ids=["each step", "for all steps"])
def test_heads_with_units_steps_and_means(form: str, static: bool) -> None:
    """Tasks of one plan on two threads, which do not divide three heads."""
    agree(headed, static=static, num_heads=3, threads=2, **FORMS[form])


@pytest.mark.parametrize("threads", [2, 8])
def test_heads_of_few_samples_have_threads_of_their_own(threads: int) -> None:
    """Without a barrier, and where threads are more than heads the samples are cut too."""
    cell = cells.sLSTM
    layout = Layout(Stack("sLSTM", 64, 128, cell=cell, num_heads=4), np.dtype(np.float32))
    split, used, slices, _ = choose(layout, Sizes(64, 6, False, threads), Weights(layout))
    assert (split, used, slices) == ("batch", threads, threads // 4 or 1)


@pytest.mark.parametrize("form", ["plain", "packed", "batch first, both ways, no bias"])
def test_gates_made_outside(form: str) -> None:
    agree(gates_outside, **FORMS[form])
    agree(gates_outside, num_heads=3, **FORMS[form])


@fastlstm.cell(gates="a b c", states="h q", unit="w")
def nested(m, x, u, state, unit):
    """A product of what another product gave, beside that of the state; a mean over both."""
    first = m.sigmoid(x.b + u.b(m.layer_norm(state.q * u.a)))
    second = m.tanh(u.c(first * state.h + unit.w) + x.c)
    return m.tanh(x.a + u.a) * second, first + 0.5 * state.q


@pytest.mark.parametrize("form", ["plain", "packed", "batch first, both ways, no bias", "three layers", "one unit"])
def test_products_inside_the_step(form: str) -> None:
    agree(nested, **FORMS[form])
    agree(cells.GRUD if form == "packed" else cells.ResetBeforeGRU, **FORMS[form])


def test_threads_that_make_gradients_of_several_products() -> None:
    """Of each product other rows: none may write where another thread is still in the one before."""
    H, steps, samples = 64, 40, 8
    config = Stack("GRUD", H, H, cell=cells.GRUD)
    rng = np.random.default_rng(3)
    parameters = {name: rng.normal(size=sizes(shape)) / 8 for name, shape in config.parameters().items()}
    x, d, grad = (rng.normal(size=(steps, samples, H)) for _ in range(3))
    engine, found = Engine(config, np.float64), list[dict[str, np.ndarray]]()
    for threads in (1, *[2] * 40):
        _, _, saved, *_ = engine.forward(parameters, 0, x, None, Call(True, step={"d": d}, threads=threads))
        found.append(engine.backward(parameters, 0, saved, Grads(grad, (None,), ()))[2])
    for name, value in found[0].items():
        for again in found[1:]:
            np.testing.assert_allclose(again[name], value, rtol=0, atol=1e-11 * np.abs(value).max(), err_msg=name)


def test_a_diagonal_product_of_any_value() -> None:
    @fastlstm.cell(gates="a b", states="h c", unit="w", recurrent="diagonal")
    def twice(m, x, u, state, unit):
        h = m.tanh(x.a + u.a + u.a(state.c) * u.b(u.a(unit.w * state.h)))
        return h, m.layer_norm(state.c + x.b)

    agree(twice, **FORMS["packed"])


def test_rows_that_are_multiplied_twice_are_the_references() -> None:
    @fastlstm.cell(gates="a", states="h")
    def twice(m, x, u, state):
        return m.tanh(x.a + u.a + u.a(m.relu(state.h)))

    assert reason_against(twice) == "the rows of W_hh of a are multiplied with two values in one step"
    with pytest.warns(RuntimeWarning, match=r"NumPy loops compute this layer.*twice: the rows of W_hh of a") as told:
        layer, _ = (fastlstm.Recurrent(twice, I, hidden) for hidden in (8, 7))
    assert [warning.filename for warning in told] == [__file__]  # once, where the layer was made
    assert isinstance(layer._engine, Reference)
