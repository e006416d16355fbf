"""Every cell of the shelf by the kernels, in float64: what torch's gradcheck finds, and the reference at odd sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fastlstm_lint.contract import sizes
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

import fastlstm.torch
from fastlstm import cells
from fastlstm.cells.lif import SLOPE, leaky_step
from fastlstm.engine import Engine
from fastlstm.reference import Reference
from fastlstm.spec import Call, Cell, Grads, Stack

pytestmark = pytest.mark.slow

SHUFFLED = torch.tensor([1, 0])
FORMS: dict[str, dict[str, Any]] = {
    "dense": {},
    "packed": {"packed": True},
    "reset": {"reset": True},
    "both directions": {"bidirectional": True, "batch_first": True},
    "two layers": {"num_layers": 2, "bidirectional": True, "packed": True, "reset": True},
    "dropout": {"num_layers": 2, "dropout": 0.4},
    "no bias": {"bias": False},
}
OFTEN = 0.4
WIDTH = 3


def _heads(cell: Cell, hidden_size: int) -> int:
    """Two or three where the cell has any and they divide the units."""
    return next((N for N in (3, 2) if cell.recurrent == "heads" and hidden_size % N == 0), 1)


@pytest.mark.parametrize("name", [name for name in cells.SHELF if not getattr(cells, name).custom])
def test_gradcheck(name: str) -> None:
    """Of x, states, step inputs and all parameters, through output, final states and those after every step.

    LIF's slope is not that of its values; test_shelf.py compares it with a loop in torch.
    """
    for form, options in FORMS.items():
        _gradcheck(getattr(cells, name), form, **options)


@fastlstm.cell(gates="a", states="s v a")
def leaky_and_smooth(m, gate, state):
    """LIF, but what it gives for a spike is the function whose slope its surrogate is."""
    return leaky_step(m, gate, state, lambda over: over / (1 + SLOPE * m.abs(over)))


@pytest.mark.parametrize("form", ["dense", "both directions", "two layers"])
def test_gradcheck_of_the_surrogate(form: str) -> None:
    _gradcheck(leaky_and_smooth, form, **FORMS[form])


def _gradcheck(cell: Cell, form: str, packed: bool = False, reset: bool = False, **options: Any) -> None:
    """All entries of all gradients of a dense call; of the other forms one random direction, at a tenth of the time."""
    T, B, I = 3, 2, 2
    seed = list(FORMS).index(form)
    torch.manual_seed(seed)
    module = fastlstm.torch.Recurrent(cell, I, WIDTH, **options, num_heads=_heads(cell, WIDTH), dtype=torch.float64)
    lead = (B, T) if options.get("batch_first") else (T, B)
    batch_sizes = torch.tensor([2, 2, 1]) if packed else None
    rows = (5,) if packed else lead
    x, steps = torch.randn(*rows, I).double(), [torch.randn(*rows, WIDTH).double() for _ in cell.step]
    # sLSTM's normaliser is positive.
    shapes = module.config.states(B).values()
    states = [torch.rand(*sizes(shape)).double() + 0.5 for shape in shapes]
    mask = torch.rand(T, B) < OFTEN if reset else None
    names = list(dict(module.named_parameters()))

    def there(value: Tensor) -> Any:
        return PackedSequence(value, batch_sizes, SHUFFLED, SHUFFLED) if packed else value

    def call(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(seed)  # the same units are dropped
        given = tuple(others[: len(states)])
        step = {n: there(v) for n, v in zip(cell.step, others[len(states) :], strict=False)}
        weights = dict(zip(names, others[len(states) + len(step) :], strict=True))
        hx = given if len(given) > 1 else given[0]
        output, final, every = torch.func.functional_call(
            module, weights, (there(x), hx), {"step": step or None, "reset": mask, "all_states": True}
        )
        flat = [value.data if packed else value for value in (output, *every[1:])]
        return *flat, *(final if len(given) > 1 else (final,))

    leaves = [x, *states, *steps, *(p.detach().clone() for p in module.parameters())]
    for leaf in leaves:
        leaf.requires_grad_()
    assert torch.autograd.gradcheck(call, leaves, fast_mode=form != "dense")


@pytest.mark.parametrize("name", cells.SHELF)
def test_odd_sizes(name: str) -> None:
    for H in (1, 7, 17, 33):
        for B in (1, 3):
            for T in (1, 2):
                _agree(getattr(cells, name), H, B, T)


def _agree(cell: Cell, H: int, B: int, T: int) -> None:
    config = Stack(cell.name, 5, H, 2, bidirectional=True, cell=cell, num_heads=_heads(cell, H))
    rng = np.random.default_rng([H, B, T, *cell.name.encode()])
    parameters = {name: rng.normal(size=sizes(shape)) / 2 for name, shape in config.parameters().items()}
    x, states = rng.normal(size=(T, B, 5)), tuple(rng.uniform(0.3, 1, sizes(s)) for s in config.states(B).values())
    step = {name: rng.normal(size=(T, B, H)) for name in cell.step}
    grad_states, grad_all = tuple(rng.normal(size=s.shape) for s in states), tuple(
        rng.normal(size=(T, B, 2 * H)) for _ in states
    )  # fmt: skip
    found = []
    for engine in (Reference(config, np.dtype(float)), Engine(config, np.float64)):
        output, final, saved, every = engine.forward(
            parameters, 0, x, states, Call(True, step=step or None, all_states=True)
        )
        grad_x, grad_initial, grads, *grad_step = engine.backward(
            parameters, 0, saved, Grads(None, grad_states, grad_all)
        )
        of_steps = grad_step[0].values() if grad_step else ()
        found.append([output, *final, *every, grad_x, *grad_initial, *grads.values(), *of_steps])
    for due, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, due, rtol=0, atol=1e-10 * (np.abs(due).max() + 1e-3))
