"""Heads, losses, optimisers and gate stacking against torch; a small model learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import fastlstm


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def same(found: np.ndarray, expected: torch.Tensor | None) -> None:
    assert expected is not None
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(), (4,), (3, 2), (0, 2)], ids=str)
def test_linear(bias: bool, lead: tuple[int, ...]) -> None:
    linear, net = fastlstm.Linear(5, 7, bias, dtype=np.float64), torch.nn.Linear(5, 7, bias, dtype=torch.float64)
    net.load_state_dict({name: torch.tensor(value) for name, value in linear.state_dict().items()})
    x, grad = normal(*lead, 5), normal(*lead, 7, seed=1)
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = net(x_torch)
    y_torch.backward(torch.tensor(grad))
    same(linear(x), y_torch)
    same(linear.backward(grad), x_torch.grad)
    for name, parameter in net.named_parameters():
        same(linear.grad[name], parameter.grad)


def test_embedding_adds_up_the_gradients_of_a_token_that_comes_twice() -> None:
    embedding, net = fastlstm.Embedding(6, 4, dtype=np.float64), torch.nn.Embedding(6, 4, dtype=torch.float64)
    net.load_state_dict({name: torch.tensor(value) for name, value in embedding.state_dict().items()})
    tokens, grad = np.array([[1, 5, 1], [0, 1, 2]]), normal(2, 3, 4)
    y_torch = net(torch.tensor(tokens))
    y_torch.backward(torch.tensor(grad))
    same(embedding(tokens), y_torch)
    assert embedding.backward(grad) is None
    same(embedding.grad["weight"], net.weight.grad)


def test_dropout_scales_what_it_keeps_and_its_gradient_alike() -> None:
    dropout = fastlstm.Dropout(0.25, seed=1)
    x = np.ones((100, 100), np.float32)
    y = dropout(x)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01
    np.testing.assert_array_equal(dropout.backward(x), y)
    assert dropout.eval()(x) is x


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 5), (2, 1)], ids=str)
@pytest.mark.parametrize("ignored", [False, True])
def test_cross_entropy(shape: tuple[int, ...], ignored: bool) -> None:
    logits = 50 * normal(*shape)
    targets = np.asarray(np.random.default_rng(1).integers(shape[-1], size=shape[:-1]))
    if ignored and targets.ndim:
        targets.flat[0] = -100
    logits_torch = torch.tensor(logits, requires_grad=True)
    truth = functional.cross_entropy(logits_torch.reshape(-1, shape[-1]), torch.tensor(targets).reshape(-1))
    truth.backward()
    loss, grad = fastlstm.cross_entropy(logits, targets)
    same(np.float64(loss), truth)
    same(grad, logits_torch.grad)


def test_cross_entropy_of_nothing_but_ignored_targets_is_nan_without_gradient() -> None:
    loss, grad = fastlstm.cross_entropy(normal(2, 3), np.array([-1, -1]), ignore_index=-1)
    assert np.isnan(loss)
    assert not grad.any()


@pytest.mark.parametrize("shape", [(3,), (2, 3, 1)], ids=str)
def test_mse_loss(shape: tuple[int, ...]) -> None:
    prediction, target = normal(*shape), normal(*shape, seed=1)
    prediction_torch = torch.tensor(prediction, requires_grad=True)
    truth = functional.mse_loss(prediction_torch, torch.tensor(target))
    truth.backward()
    loss, grad = fastlstm.mse_loss(prediction, target)
    same(np.float64(loss), truth)
    same(grad, prediction_torch.grad)
    single, single_grad = fastlstm.mse_loss(prediction.astype(np.float32), target.astype(np.float32))
    assert single == pytest.approx(loss, rel=1e-5)
    assert single_grad.dtype == np.float32


OPTIMISERS: dict[str, tuple[Any, Any]] = {
    "SGD": (lambda m: fastlstm.SGD(m, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "SGD, momentum and decay": (
        lambda m: fastlstm.SGD(m, 0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
    ),
    "Adam": (fastlstm.Adam, torch.optim.Adam),
    "Adam, all its options": (
        lambda m: fastlstm.Adam(m, 0.01, (0.8, 0.9), 1e-3, 0.1),
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.9), 1e-3, 0.1),
    ),
    "AdamW": (
        lambda m: fastlstm.Adam(m, 0.01, weight_decay=0.1, decoupled=True),
        lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_takes_torchs_steps(name: str) -> None:
    ours, theirs = OPTIMISERS[name]
    linear, net = fastlstm.Linear(3, 2, dtype=np.float64), torch.nn.Linear(3, 2, dtype=torch.float64)
    net.load_state_dict({key: torch.tensor(value) for key, value in linear.state_dict().items()})
    optimiser, optimiser_torch = ours(linear), theirs(net.parameters())
    for step in range(5):
        x, grad = normal(4, 3, seed=step), normal(4, 2, seed=step + 10)
        optimiser.zero_grad()
        optimiser_torch.zero_grad()
        linear(x)
        linear.backward(grad)
        net(torch.tensor(x)).backward(torch.tensor(grad))
        optimiser.step()
        optimiser_torch.step()
        for key, parameter in net.named_parameters():
            same(getattr(linear, key), parameter)


def test_an_optimiser_keeps_its_moments_apart_and_skips_what_has_no_gradient() -> None:
    one, two, idle = (fastlstm.Linear(3, 2, seed=k) for k in range(3))
    before = idle.state_dict()
    optimiser = fastlstm.Adam([one, two, idle], lr=0.1, weight_decay=0.1)
    for _ in range(2):
        for linear in (one, two):
            linear(np.ones((1, 3), np.float32))
            linear.backward(np.ones((1, 2), np.float32) * (1 if linear is one else -1))
        optimiser.step()
        optimiser.zero_grad()
    assert (one.weight < before["weight"].max()).all()
    assert not np.allclose(one.weight, two.weight)
    np.testing.assert_array_equal(idle.weight, before["weight"])


@pytest.mark.parametrize("limit", [0.1, 1e6])
def test_clip_grad_norm(limit: float) -> None:
    linear, net = fastlstm.Linear(3, 2, dtype=np.float64), torch.nn.Linear(3, 2, dtype=torch.float64)
    x, grad = normal(4, 3), normal(4, 2, seed=1)
    linear(x)
    linear.backward(grad)
    net(torch.tensor(x)).backward(torch.tensor(grad))
    truth = torch.nn.utils.clip_grad_norm_(net.parameters(), limit)
    assert fastlstm.clip_grad_norm([linear], limit) == pytest.approx(float(truth))
    for name, parameter in net.named_parameters():
        same(linear.grad[name], parameter.grad)


@pytest.mark.parametrize(("kind", "names"), [("LSTM", "ifgo"), ("GRU", "rzn"), ("RNN", "h")])
def test_gates_stack_in_the_contracts_order_and_split_again(kind: str, names: str) -> None:
    gates = {name: normal(4, 3, seed=k) for k, name in enumerate(reversed(names))}
    stacked = fastlstm.stack_gates(kind, gates)
    np.testing.assert_array_equal(stacked, np.concatenate([gates[name] for name in names]))
    for name, part in fastlstm.split_gates(kind, stacked).items():
        np.testing.assert_array_equal(part, gates[name])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_model_learns_to_add_what_it_was_told_at_marked_steps(kind: str) -> None:
    """The sum of the numbers marked, one mark in each half: a mean squared error of 1/6 says nothing was learnt."""
    rng = np.random.default_rng(1)
    layer = getattr(fastlstm, kind)(2, 24, seed=1)
    head = fastlstm.Linear(24, 1, seed=2)
    optimiser = fastlstm.Adam([layer, head], lr=0.01)
    losses = []
    for _ in range(300):
        x = np.stack([rng.random((8, 32)), np.zeros((8, 32))], axis=-1).astype(np.float32)
        marks = np.stack([rng.integers(0, 4, 32), rng.integers(4, 8, 32)])
        x[marks, np.arange(32), 1] = 1
        target = x[marks, np.arange(32), 0].sum(axis=0)[:, None]
        output, _ = layer(x)
        loss, grad = fastlstm.mse_loss(head(output[-1]), target)
        grad_output = np.zeros_like(output)
        grad_output[-1] = head.backward(grad)
        layer.backward(grad_output)
        fastlstm.clip_grad_norm([layer, head], 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss)
    assert np.mean(losses[-20:]) < (0.02 if kind != "RNN" else 0.06)
