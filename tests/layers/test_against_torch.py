"""LSTM, GRU, RNN and their cells give torch's values and torch's gradients: output, states, x and every parameter.

Configurations are drawn by seed. torch computes in float64 throughout, so a float32 layer is held to the true values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import rnn

import fastlstm

TOLERANCE = {np.float32: 3e-4, np.float64: 1e-8}
SIZES = [1, 2, 5, 15, 17, 33, 100]


@dataclass
class Drawn:
    """A configuration, the form of the call, and a name that says both."""

    seed: int
    kind: str
    sizes: tuple[int, int]
    options: dict[str, Any]
    dtype: type
    T: int
    B: int
    form: str
    states: bool

    def __str__(self) -> str:
        options = " ".join(f"{name}={value}" for name, value in self.options.items() if value)
        given = "states" if self.states else "no states"
        return f"{self.seed} {self.kind}{self.sizes} {options} T={self.T} B={self.B} {self.form} {given}"


def draw(seed: int, kind: str) -> Drawn:
    rng = np.random.default_rng([seed, len(kind), ord(kind[0])])
    I, H = int(rng.choice(SIZES)), int(rng.choice(SIZES))
    options: dict[str, Any] = {
        "num_layers": int(rng.integers(1, 4)),
        "bias": bool(rng.random() < 0.7),
        "batch_first": bool(rng.random() < 0.5),
        "bidirectional": bool(rng.random() < 0.4),
    }
    if kind == "LSTM" and H > 1 and rng.random() < 0.3:
        options["proj_size"] = int(rng.integers(1, H))
    if kind == "RNN":
        options["nonlinearity"] = str(rng.choice(["tanh", "relu"]))
    form = str(rng.choice(["dense", "dense", "unbatched", "packed", "packed unsorted"]))
    dtype = (np.float32, np.float64)[seed % 2]
    T, B = int(rng.integers(1, 8)), int(rng.integers(1, 6))
    return Drawn(seed, kind, (I, H), options, dtype, T, B, form, bool(rng.random() < 0.6))


def same(found: np.ndarray, expected: torch.Tensor | None, dtype: type, name: str) -> None:
    """Equal up to the tolerance relative to the largest entry."""
    assert expected is not None
    truth, tolerance = expected.detach().numpy(), TOLERANCE[dtype]
    assert found.dtype == dtype
    assert found.shape == truth.shape, name
    scale = np.abs(truth).max(initial=0)
    np.testing.assert_allclose(found, truth, rtol=tolerance, atol=tolerance * scale, err_msg=name)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float64, requires_grad=array.dtype.kind == "f")


def as_tuple(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


CASES = [draw(seed, "LSTM") for seed in range(220)] + [
    draw(seed, kind) for kind in ("GRU", "RNN") for seed in range(60)
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer(case: Drawn) -> None:
    rng, dtype = np.random.default_rng(case.seed), case.dtype
    layer = getattr(fastlstm, case.kind)(*case.sizes, **case.options, dtype=dtype, seed=case.seed)
    net = getattr(torch.nn, case.kind)(*case.sizes, **case.options, dtype=torch.float64)
    net.load_state_dict({name: torch.tensor(value) for name, value in layer.state_dict().items()})

    T, B, options = case.T, case.B, case.options
    lead = (T,) if case.form == "unbatched" else (B, T) if options["batch_first"] else (T, B)
    x = rng.normal(size=(*lead, case.sizes[0])).astype(dtype)
    x_torch = tensor(x)
    x_in, x_torch_in = x, x_torch
    if case.form.startswith("packed"):
        lengths, is_sorted = rng.integers(1, T + 1, size=B), case.form == "packed"
        lengths[0] = T
        lengths = np.sort(lengths)[::-1].copy() if is_sorted else rng.permutation(lengths)
        x_in = fastlstm.pack_padded_sequence(x, lengths, options["batch_first"], is_sorted)
        x_torch_in = rnn.pack_padded_sequence(x_torch, torch.tensor(lengths), options["batch_first"], is_sorted)

    states = states_torch = None
    if case.states:
        rows = options["num_layers"] * (2 if options["bidirectional"] else 1)
        batch = () if case.form == "unbatched" else (B,)
        widths = [options.get("proj_size") or case.sizes[1], case.sizes[1]][: 2 if case.kind == "LSTM" else 1]
        states = tuple(rng.normal(size=(rows, *batch, width)).astype(dtype) for width in widths)
        states_torch = tuple(map(tensor, states))
    single = case.kind != "LSTM"

    def argument(states: Any) -> Any:
        return states[0] if states is not None and single else states

    output, final = layer(x_in, argument(states))
    output_torch, final_torch = net(x_torch_in, argument(states_torch))
    if case.form.startswith("packed"):
        assert output.batch_sizes.tolist() == output_torch.batch_sizes.tolist()
        output, _ = fastlstm.pad_packed_sequence(output, options["batch_first"])
        output_torch, _ = rnn.pad_packed_sequence(output_torch, options["batch_first"])
    same(output, output_torch, dtype, "output")
    for found, expected in zip(as_tuple(final), as_tuple(final_torch), strict=True):
        same(found, expected, dtype, "final state")

    grad_output = rng.normal(size=output.shape).astype(dtype)
    grad_states = tuple(rng.normal(size=state.shape).astype(dtype) for state in as_tuple(final))
    torch.autograd.backward([output_torch, *as_tuple(final_torch)], [tensor(g) for g in (grad_output, *grad_states)])
    if case.form.startswith("packed"):
        grad_output = fastlstm.pack_padded_sequence(grad_output, lengths, options["batch_first"], is_sorted)
    grad_x, grad_initial = layer.backward(grad_output, argument(grad_states))
    if case.form.startswith("packed"):
        grad_x, _ = fastlstm.pad_packed_sequence(grad_x, options["batch_first"], total_length=T)
    same(grad_x, x_torch.grad, dtype, "grad x")
    for found, given in zip(as_tuple(grad_initial), states_torch or (), strict=False):
        same(found, given.grad, dtype, "grad of an initial state")
    assert list(layer.grad) == [name for name, _ in net.named_parameters()]
    for name, parameter in net.named_parameters():
        same(layer.grad[name], parameter.grad, dtype, name)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell", "RNNCell relu"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("batch", [(4,), ()], ids=["batched", "unbatched"])
@pytest.mark.parametrize("given", [True, False], ids=["states", "no states"])
@pytest.mark.parametrize(("I", "H"), [(1, 1), (5, 17), (33, 15), (7, 100)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cell_over_three_steps(kind: str, bias: bool, batch: tuple, given: bool, I: int, H: int, dtype: type) -> None:
    kind, _, nonlinearity = kind.partition(" ")
    options: dict[str, Any] = {"bias": bias} | ({"nonlinearity": nonlinearity} if nonlinearity else {})
    rng = np.random.default_rng(3)
    cell = getattr(fastlstm, kind)(I, H, **options, dtype=dtype, seed=3)
    net = getattr(torch.nn, kind)(I, H, **options, dtype=torch.float64)
    net.load_state_dict({name: torch.tensor(value) for name, value in cell.state_dict().items()})

    xs = rng.normal(size=(3, *batch, I)).astype(dtype)
    states = tuple(rng.normal(size=(*batch, H)).astype(dtype) for _ in range(2 if kind == "LSTMCell" else 1))
    xs_torch, states_torch = tensor(xs), tuple(map(tensor, states))
    now: Any = (states if kind == "LSTMCell" else states[0]) if given else None
    now_torch: Any = (states_torch if kind == "LSTMCell" else states_torch[0]) if given else None
    tapes = []
    for x, x_torch in zip(xs, xs_torch, strict=True):
        now, now_torch = cell(x, now), net(x_torch, now_torch)
        tapes.append(cell.tape)
        for found, expected in zip(as_tuple(now), as_tuple(now_torch), strict=True):
            same(found, expected, dtype, "state")

    grads: Any = tuple(rng.normal(size=state.shape).astype(dtype) for state in as_tuple(now))
    torch.autograd.backward(as_tuple(now_torch), [tensor(grad) for grad in grads])
    grads, grad_xs = grads if kind == "LSTMCell" else grads[0], []
    for tape in reversed(tapes):
        grad_x, grads = cell.backward(grads, tape=tape)
        grad_xs.append(grad_x)
    same(np.stack(grad_xs[::-1]), xs_torch.grad, dtype, "grad x")
    for found, expected in zip(as_tuple(grads), states_torch if given else (), strict=False):
        same(found, expected.grad, dtype, "grad of an initial state")
    for name, parameter in net.named_parameters():
        same(cell.grad[name], parameter.grad, dtype, name)
