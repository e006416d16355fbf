"""Many gradients of one result at once: is_grads_batched=True, vectorized jacobians and hessians, vmap over grad."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

I, H = 3, 5


@pytest.fixture(params=["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def any_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def first(result: Any) -> Tensor:
    while isinstance(result, tuple):
        result = result[0]
    return result


def sample(kind: str, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(*((4, I) if "Cell" in kind else (6, 4, I)), dtype=dtype, generator=generator)


def close(mine: Any, due: Any, dtype: torch.dtype) -> None:
    rtol, atol = (1e-4, 1e-5) if dtype is torch.float32 else (1e-9, 1e-11)
    torch.testing.assert_close(mine, due, rtol=rtol, atol=atol)


def test_grads_in_a_batch(any_kind: str, dtype: torch.dtype, twins: Any) -> None:
    found = []
    for module in twins(any_kind, I, H, dtype=dtype):
        x = sample(any_kind, dtype).requires_grad_()
        y = first(module(x))
        grads = torch.randn(7, *y.shape, dtype=dtype, generator=torch.Generator().manual_seed(3))
        found.append(torch.autograd.grad(y, [x, *module.parameters()], grads, is_grads_batched=True))
    close(*found, dtype)
    assert found[0][0].shape == (7, *sample(any_kind, dtype).shape)


def test_grads_in_a_batch_through_a_loop_of_cells(cell: str, dtype: torch.dtype, twins: Any) -> None:
    found = []
    for module in twins(cell, I, H, dtype=dtype):
        x = sample(cell, dtype).requires_grad_()
        state = None
        for _ in range(4):
            state = module(x, state)
        y = first(state)
        grads = torch.randn(7, *y.shape, dtype=dtype, generator=torch.Generator().manual_seed(3))
        found.append(torch.autograd.grad(y, [x, *module.parameters()], grads, is_grads_batched=True))
    close(*found, dtype)


def test_vmap_over_grad(any_kind: str, twins: Any) -> None:
    found = []
    for module in twins(any_kind, I, H, dtype=torch.float64):
        x = sample(any_kind, torch.float64).requires_grad_()
        y = first(module(x))

        def pull(grad: Tensor, y: Tensor = y, x: Tensor = x, module: torch.nn.Module = module) -> Any:
            return torch.autograd.grad(y, [x, *module.parameters()], grad, retain_graph=True)

        found.append(torch.vmap(pull)(torch.eye(y.numel(), dtype=torch.float64).view(-1, *y.shape)))
    close(*found, torch.float64)


@pytest.mark.parametrize("vectorize", [True, False])
def test_jacobian_and_hessian(any_kind: str, vectorize: bool, twins: Any) -> None:
    found = []
    for module in twins(any_kind, I, H, dtype=torch.float64):
        x = sample(any_kind, torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda x: first(module(x)), x, vectorize=vectorize)  # noqa: B023
        hessian = torch.autograd.functional.hessian(
            lambda x: (first(module(x)) ** 2).sum(),  # noqa: B023
            x,
            vectorize=vectorize,
        )
        found.append((jacobian, hessian))
    close(*found, torch.float64)


def test_a_packed_batch_and_resets(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, 2, bidirectional=True, dtype=torch.float64)
    found = []
    for module in (ours, theirs):
        x = sample(kind, torch.float64).requires_grad_()
        y = module(pack_padded_sequence(x, [6, 4, 4, 1]))[0].data
        found.append(
            torch.autograd.grad(y, [x, *module.parameters()], y.detach().expand(3, *y.shape), is_grads_batched=True)
        )
    close(*found, torch.float64)
    reset = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) < 0.3
    x = sample(kind, torch.float64).requires_grad_()
    y = ours(x, reset=reset)[0]
    grads = torch.randn(3, *y.shape, dtype=y.dtype)
    batched = torch.autograd.grad(y, x, grads, is_grads_batched=True, retain_graph=True)[0]
    for grad, due in zip(grads, batched, strict=True):
        close(torch.autograd.grad(y, x, grad, retain_graph=True)[0], due, torch.float64)
