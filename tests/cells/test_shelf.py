"""The shelf's cells compute what the papers say: values and gradients against torch loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fastlstm_lint.contract import sizes

from fastlstm import cells
from fastlstm.reference import Reference
from fastlstm.spec import TRAINING, Call, Cell, Grads, Stack

from .torch_steps import STEPS, run

T, B, I, H = 5, 3, 4, 6


def test_every_cell_of_the_shelf_is_tested() -> None:
    assert set(STEPS) == set(cells.SHELF)
    assert all(isinstance(getattr(cells, name), Cell) and getattr(cells, name).name == name for name in cells.SHELF)


CASES = [
    pytest.param(name, layers, directions, static, id=f"{name} {layers}x{directions}{' static' * static}")
    for name in STEPS
    for layers, directions in ((1, 1), (2, 2))
    for static in ((False, True) if name in ("EALSTM", "GRUD") else (False,))
]


@pytest.mark.parametrize(("name", "layers", "directions", "static"), CASES)
def test_values_and_gradients_are_those_of_a_torch_loop(name: str, layers: int, directions: int, static: bool) -> None:
    """`static`: the step inputs are (B, H), the same at every step."""
    cell: Cell = getattr(cells, name)
    config = Stack(name, I, H, layers, bidirectional=directions == 2, cell=cell,
                   num_heads=3 if cell.recurrent == "heads" else 1)  # fmt: skip
    rng = np.random.default_rng([1, *name.encode()])
    parameters = {n: rng.normal(size=sizes(shape)) for n, shape in config.parameters().items()}
    x = rng.normal(size=(T, B, I))
    # sLSTM's normaliser is positive.
    states = tuple(rng.uniform(0.3, 1, size=sizes(shape)) for shape in config.states(B).values())
    step = {n: rng.normal(size=(B, H) if static else (T, B, H)) for n in cell.step}
    width = directions * H
    d_output, d_all = rng.normal(size=(T, B, width)), tuple(rng.normal(size=(T, B, width)) for _ in states)
    d_states = tuple(rng.normal(size=state.shape) for state in states)

    engine = Reference(config, np.dtype(np.float64))
    output, final, saved, everything = engine.forward(parameters, 0, x, states, Call(True, step=step, all_states=True))
    results = engine.backward(parameters, 0, saved, Grads(d_output, d_states, d_all))
    found = {"x": results[0], **{f"state {n}": g for n, g in enumerate(results[1])}, **results[2]}
    found |= {f"step {n}": g for n, g in (results[3] if cell.step else {}).items()}

    tensors = {n: torch.tensor(v, requires_grad=True) for n, v in parameters.items()}
    inputs = {"x": torch.tensor(x, requires_grad=True)}
    inputs |= {f"state {n}": torch.tensor(v, requires_grad=True) for n, v in enumerate(states)}
    inputs |= {f"step {n}": torch.tensor(v, requires_grad=True) for n, v in step.items()}
    due = run(STEPS[name], tensors, inputs["x"], [inputs[f"state {n}"] for n in range(len(states))],
              {n: inputs[f"step {n}"] for n in step}, layers=layers, directions=directions)  # fmt: skip
    loss = (due[0] * torch.tensor(d_output)).sum()
    for values, gradients in ((due[1], d_states), (due[2], d_all)):
        loss = loss + sum((v * torch.tensor(g)).sum() for v, g in zip(values, gradients, strict=True))
    loss.backward()

    np.testing.assert_allclose(output, due[0].detach(), rtol=1e-10, atol=1e-12)
    for one, other in zip((*final, *everything), (*due[1], *due[2]), strict=True):
        np.testing.assert_allclose(one, other.detach(), rtol=1e-10, atol=1e-12)
    assert set(found) == {*inputs, *tensors}
    for key, tensor in {**inputs, **tensors}.items():
        gradient = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        np.testing.assert_allclose(found[key], gradient, rtol=1e-8, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("name", ["sLSTM", "minLSTM"])
def test_shut_gates_give_no_nan(name: str) -> None:
    """In float32, where exp and sigmoid are infinite or zero, against the loop in float64, where they are not."""
    config = Stack(name, I, H, cell=getattr(cells, name))
    rng = np.random.default_rng(2)
    parameters = {n: rng.normal(size=sizes(shape)).astype(np.float32) for n, shape in config.parameters().items()}
    bias = parameters["bias_ih_l0"].reshape(-1, H)
    bias[:2] = rng.choice([-400, -120, -95, 0, 95, 120], (2, H))  # i and f
    bias[:2, 0] = -120
    x, grad = (rng.normal(size=shape).astype(np.float32) for shape in ((T, B, I), (T, B, H)))
    engine = Reference(config, np.dtype(np.float32))
    output, _, saved = engine.forward(parameters, 0, x, None, TRAINING)
    grad_x, grad_initial, grads = engine.backward(parameters, 0, saved, Grads(grad, (None,) * len(config.state_names)))

    tensors = {n: torch.tensor(v, dtype=torch.float64, requires_grad=True) for n, v in parameters.items()}
    given = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    states = [torch.zeros(1, B, H, dtype=torch.float64) for _ in config.state_names]
    due, _, _ = run(STEPS[name], tensors, given, states, {}, layers=1, directions=1)
    (due * torch.tensor(grad)).sum().backward()
    np.testing.assert_allclose(output, due.detach(), rtol=1e-4, atol=1e-5)
    for key, found in {"x": grad_x, **grads}.items():
        expected = np.asarray((given if key == "x" else tensors[key]).grad)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=key)
    assert all(np.isfinite(one).all() for one in grad_initial)
