"""The derived gradients are torch's, corners included, and what is stored is enough for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from fastlstm import cells
from fastlstm.cells import CELLS
from fastlstm.reference.card import Card
from fastlstm.spec import Cell, cell
from fastlstm.spec.graph import evaluate

CORNERS = np.array([[-1.5, -0.5, 0.0, 0.25, 0.5, 1.0, 2.5, 30.0], [1.0, -0.5, 0.0, 2.0, -2.0, 3.0, 2.5, -30.0]])

FUNCTIONS: dict[str, tuple[Callable, Callable]] = {
    "sigmoid": (lambda m, a, b: m.sigmoid(a), lambda a, b: torch.sigmoid(a)),
    "tanh": (lambda m, a, b: m.tanh(a), lambda a, b: torch.tanh(a)),
    "relu": (lambda m, a, b: m.relu(a), lambda a, b: torch.relu(a)),
    "exp": (lambda m, a, b: m.exp(a), lambda a, b: torch.exp(a)),
    "log": (lambda m, a, b: m.log(m.abs(a) + 0.5), lambda a, b: torch.log(abs(a) + 0.5)),
    "sqrt": (lambda m, a, b: m.sqrt(m.abs(a) + 1), lambda a, b: torch.sqrt(abs(a) + 1)),
    "abs": (lambda m, a, b: abs(a), lambda a, b: abs(a)),
    "sin": (lambda m, a, b: m.sin(a), lambda a, b: torch.sin(a)),
    "cos": (lambda m, a, b: m.cos(a), lambda a, b: torch.cos(a)),
    "softplus": (lambda m, a, b: m.softplus(a), lambda a, b: torch.logaddexp(a, torch.zeros_like(a))),
    "log_sigmoid": (lambda m, a, b: m.log_sigmoid(a), lambda a, b: torch.nn.functional.logsigmoid(a)),
    "minimum": (lambda m, a, b: m.minimum(a, b), lambda a, b: torch.minimum(a, b)),
    "maximum": (lambda m, a, b: m.maximum(a, b), lambda a, b: torch.maximum(a, b)),
    "minimum of a number": (lambda m, a, b: m.minimum(a, 1.0), lambda a, b: torch.minimum(a, torch.ones_like(a))),
    "clip": (lambda m, a, b: m.clip(a, -0.5, 1.0), lambda a, b: torch.clamp(a, -0.5, 1.0)),
    "clip from below": (lambda m, a, b: m.clip(a, low=0.25), lambda a, b: torch.clamp(a, min=0.25)),
    "clip by values": (lambda m, a, b: m.clip(a, b, b + 1), lambda a, b: torch.clamp(a, b, b + 1)),
    "where": (lambda m, a, b: m.where(a > b, a * b, m.exp(b)), lambda a, b: torch.where(a > b, a * b, torch.exp(b))),
    "where not": (lambda m, a, b: m.where(~((a > b) | (b <= 0)), a, b * 2),
                  lambda a, b: torch.where(~((a > b) | (b <= 0)), a, b * 2)),
    "where both": (lambda m, a, b: m.where((a >= b) & (a != 1), a, 3.0),
                   lambda a, b: torch.where((a >= b) & (a != 1), a, 3.0)),
    "add, subtract, negate": (lambda m, a, b: 1 - (-a + b - 2 - a), lambda a, b: 1 - (-a + b - 2 - a)),
    "multiply": (lambda m, a, b: -a * (-b) * 3 * -a, lambda a, b: -a * (-b) * 3 * -a),
    "divide": (lambda m, a, b: a / (b * b + 1) + 2 / (a * a + 1), lambda a, b: a / (b * b + 1) + 2 / (a * a + 1)),
    "square, cube, seventh": (lambda m, a, b: a**2 + b**3 + a**7, lambda a, b: a**2 + b**3 + a**7),
    "negative and half powers": (lambda m, a, b: (a * a + 1) ** -1.5 + (b * b + 1) ** 0.5 + a**0,
                                 lambda a, b: (a * a + 1) ** -1.5 + (b * b + 1) ** 0.5 + a**0),
    "odd power": (lambda m, a, b: (a * a + 0.1) ** 0.3, lambda a, b: (a * a + 0.1) ** 0.3),
    "power of values": (lambda m, a, b: (a * a) ** abs(b / 8), lambda a, b: (a * a) ** abs(b / 8)),
    "power of a number": (lambda m, a, b: 1.1**a, lambda a, b: 1.1**a),
    "custom": (lambda m, a, b: m.custom(lambda v: v, lambda v: m.cos(v))(a) * b,
               lambda a, b: (a + (torch.sin(a) - torch.sin(a).detach()) - (a - a.detach())) * b),
    "custom of two": (lambda m, a, b: m.custom(lambda v, w: v * w, lambda v, w: (w, v))(a, b), lambda a, b: a * b),
    "layer norm": (lambda m, a, b: m.layer_norm(a, b, 0.5, 1e-3) + b,
                   lambda a, b: torch.nn.functional.layer_norm(a, a.shape[1:], eps=1e-3) * b + 0.5 + b),
    "layer norm of two": (
        lambda m, a, b: (lambda p, q: p * m.tanh(q))(*m.layer_norm((a, b), (a, 2.0), (0.0, b))),
        lambda a, b: (lambda n: (n[:, :8] * a) * torch.tanh(n[:, 8:] * 2 + b))(
            torch.nn.functional.layer_norm(torch.cat([a, b], 1), (16,))),
    ),
    "layer norm of the same twice": (
        lambda m, a, b: (lambda p, q: p * q * b)(*m.layer_norm((a, a))),
        lambda a, b: torch.nn.functional.layer_norm(a, a.shape[1:]) ** 2 * b,
    ),
    "layer norm of layer norm": (
        lambda m, a, b: m.layer_norm(m.tanh(m.layer_norm(a * b)) + a, b),
        lambda a, b: torch.nn.functional.layer_norm(
            torch.tanh(torch.nn.functional.layer_norm(a * b, (8,))) + a, (8,)) * b,
    ),
}  # fmt: skip


def step_of(function: Callable) -> Cell:
    """A cell whose new states are the function of the old ones: no gate is read."""
    return cell(gates="a", states="p q", recurrent="none")(lambda m, state: (function(m, state.p, state.q), state.q))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_and_its_slope_are_torchs(name: str) -> None:
    ours, theirs = FUNCTIONS[name]
    made = step_of(ours)
    random = np.random.default_rng(3).normal(size=(4, 8))
    p = np.concatenate([CORNERS, random[:2]])
    q = np.concatenate([CORNERS[::-1], random[2:]])
    card = Card(made, 8, 1)
    w = card.weights({"weight_ih_l0": np.zeros((8, 1)), "bias_ih_l0": np.zeros(8)}, "_l0", 1)
    grad = np.random.default_rng(4).normal(size=(4, 8))
    with np.errstate(all="ignore"):
        (value, _), kept = card.forward(np.zeros((4, 1)), (p, q), w)
        _, (grad_p, grad_q) = card.backward((grad, np.zeros((4, 8))), kept, w, w.zeros())

    a, b = torch.tensor(p, requires_grad=True), torch.tensor(q, requires_grad=True)
    due = theirs(a, b)
    (due * torch.tensor(grad)).sum().backward()
    np.testing.assert_allclose(value, due.detach(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(grad_p, a.grad, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grad_q, np.zeros((4, 8)) if b.grad is None else b.grad, rtol=1e-9, atol=1e-12)


def test_nan_and_infinity_flow() -> None:
    made = step_of(lambda m, p, q: (p - p) * 0 + q * 0)
    card = Card(made, 3, 1)
    w = card.weights({}, "_l0", 1)
    w.arrays |= {"weight_ih": np.zeros((3, 1))}
    with np.errstate(invalid="ignore"):
        (value, _), _ = card.forward(np.zeros((1, 1)), (np.array([[1.0, np.inf, 2.0]]), np.array([[np.nan, 1, 1]])), w)
    assert np.isnan(value).tolist() == [[True, True, False]]


@pytest.mark.parametrize("name", sorted({*cells.SHELF, *FUNCTIONS}))
def test_what_is_stored_is_enough_for_the_gradients(name: str) -> None:
    """Backward from the stored values, the previous states that it names, parameters and step inputs alone."""
    made: Cell = getattr(cells, name) if name in cells.SHELF else step_of(FUNCTIONS[name][0])
    back = made.backward
    rng = np.random.default_rng(7)

    class Leaves:
        def __init__(self) -> None:
            self.values: dict = {}

        def leaf(self, kind: str, leaf: str) -> float:
            assert kind in ("unit", "step", "grad") or (kind, leaf) in self.values, (kind, leaf)
            return self.values.setdefault((kind, leaf), rng.uniform(0.2, 1.5))

    class Numbers(Leaves):
        """One unit of one sample; a product is that of a 1 x 1 matrix."""

        def __getattr__(self, op: str) -> Callable:
            return lambda *args: getattr(torch, {"softplus": "_softplus"}.get(op, op))(*map(tensor, args)).item()

        def constant(self, value: float) -> float:
            return value

        def softplus(self, x: float) -> float:
            return float(np.logaddexp(0, x))

        def log_sigmoid(self, x: float) -> float:
            return -float(np.logaddexp(0, -x))

        def clip(self, x: float, low: float, high: float) -> float:
            return min(max(x, low), high)

        def compare(self, op: str, a: float, b: float) -> bool:
            return bool(getattr(np, {"gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal",
                                     "eq": "equal", "ne": "not_equal"}[op])(a, b))  # fmt: skip

        def logic(self, op: str, *args: bool) -> bool:
            return bool(getattr(np, f"logical_{op}")(*args))

        def where(self, condition: bool, then: float, otherwise: float) -> float:
            return then if condition else otherwise

        def mean(self, x: float) -> float:
            return 0.7 * x + 0.1  # no mean of one unit: that would make every normalised value 0

        def product(self, gate: str, x: float) -> float:
            return 0.3 * x - 0.2

        def product_back(self, gate: str, x: float) -> float:
            return 0.3 * x

    def tensor(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float64)

    everything = Numbers()
    leaves = {n: node.data for n, node in enumerate(made.nodes) if node.op == "leaf"}
    for leaf in leaves.values():
        everything.values[leaf] = rng.uniform(0.2, 1.5)
    known: dict[int, float] = {}
    roots = [*made.gradients.values()]
    due = evaluate(made.nodes, roots, known, everything)
    evaluate(made.nodes, [*back.stored], known, everything)

    later = Numbers()
    later.values = {
        leaf: value
        for leaf, value in everything.values.items()
        if leaf[0] in ("unit", "step", "grad") or (leaf[0] == "state" and leaf[1] in back.kept_states)
    }
    found = evaluate(made.nodes, roots, {n: known[n] for n in back.stored}, later)
    np.testing.assert_allclose(found, due, rtol=1e-12)


BUILT_IN = {
    "LSTM": cell(gates="i f g o", states="h c")(
        lambda m, gate, state: (lambda c: (m.sigmoid(gate.o) * m.tanh(c), c))(
            m.sigmoid(gate.f) * state.c + m.sigmoid(gate.i) * m.tanh(gate.g))),
    "GRU": cell(gates="r z n", states="h")(
        lambda m, x, u, state: (lambda z, n: n + z * (state.h - n))(
            m.sigmoid(x.z + u.z), m.tanh(x.n + m.sigmoid(x.r + u.r) * u.n))),
    "RNN_TANH": cell(gates="h", states="h")(lambda m, gate: m.tanh(gate.h)),
    "RNN_RELU": cell(gates="h", states="h")(lambda m, gate: m.relu(gate.h)),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_cell_written_as_a_step_is_derived_as_it_is_written_by_hand(name: str) -> None:
    made, by_hand = BUILT_IN[name], CELLS[name]
    rng = np.random.default_rng(9)
    G, n, H = by_hand.GATES, 3, 5
    x, u, dh, dc = (
        rng.normal(size=(G, n, H)),
        rng.normal(size=(G, n, H)),
        rng.normal(size=(n, H)),
        rng.normal(size=(n, H)),
    )
    h, c = rng.normal(size=(n, H)), rng.normal(size=(n, H))

    class Math:
        sigmoid = staticmethod(lambda a: 1 / (1 + np.exp(-a)))
        tanh = staticmethod(np.tanh)
        relu = staticmethod(lambda a: np.maximum(a, 0))
        where_greater = staticmethod(lambda a, b, p, q: np.where(a > b, p, q))
        where = staticmethod(np.where)
        constant = staticmethod(float)
        compare = staticmethod(lambda op, a, b: a > b)

        @staticmethod
        def leaf(kind: str, name: str) -> np.ndarray:
            if kind in ("state", "grad"):
                return {"state": {"h": h, "c": c}, "grad": {"h": dh, "c": dc}}[kind][name]
            return {"x": x, "u": u, "gate": x}[kind][made.gates.index(name)]

    saved, new_h, new_c = by_hand.forward(Math, x, u, h, c)
    dx, du, d_h, d_c = by_hand.backward(Math, saved, u, h, c, dh, dc)
    due = {("state", "h"): d_h, ("state", "c"): d_c}
    for number, gate in enumerate(made.gates):
        due |= {("x", gate): dx[number], ("u", gate): du[number], ("gate", gate): dx[number]}

    known: dict[int, np.ndarray] = {}
    outputs = evaluate(made.nodes, [made.outputs[state] for state in made.states], known, Math)
    np.testing.assert_allclose(outputs, [new_h, new_c][: len(outputs)], rtol=1e-12)
    for leaf, root in made.gradients.items():
        np.testing.assert_allclose(
            evaluate(made.nodes, [root], known, Math)[0], due[leaf], rtol=1e-10, err_msg=str(leaf)
        )
    assert {kind for kind, _ in made.gradients} >= ({"x", "u"} if by_hand.SPLITS_GATES else {"gate"})
    # and no more is stored than the kernels store today
    assert len(made.backward.stored) <= G + by_hand.SPLITS_GATES
