"""Loops over cells with a backward: a step is one node of the graph, and the weights' gradients are made once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import Tensor

I, T = 7, 4
BATCHES = (1, 2, 5, 8, 17, 33)


def data(B: int, H: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(B + H)
    shapes = ((T, B, I), (B, H), (B, H))
    x, h, c = (torch.randn(*shape, dtype=dtype, generator=generator) for shape in shapes)
    return x.requires_grad_(), h.requires_grad_(), c.requires_grad_()


def unrolled(module: Any, x: Tensor, state: Any) -> list[Tensor]:
    """The states after every step."""
    found = []
    for step in x:
        state = module(step, state)
        found += state if isinstance(state, tuple) else [state]
    return found


def loss_of(found: list[Tensor]) -> Tensor:
    return torch.stack([(part * torch.linspace(-1, 2, part.numel()).view(part.shape)).sum() for part in found]).sum()


def close(mine: Any, due: Any) -> None:
    for one, other in zip(mine, due, strict=True):
        if other is None:
            assert one is None
        else:
            exact = other.dtype is torch.float64
            torch.testing.assert_close(one, other, rtol=1e-9 if exact else 1e-4, atol=1e-11 if exact else 2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("H", [1, 8, 19, 70])
@pytest.mark.parametrize("bias", [True, False], ids=["", "no bias"])
def test_values_and_gradients(
    cell: str, H: int, bias: bool, dtype: torch.dtype, twins: Any, kernel_calls: list[dict[str, Any]]
) -> None:
    modules = twins(cell, I, H, bias, dtype=dtype)
    for number, B in enumerate(BATCHES):
        found = []
        for module in modules:
            x, h, c = data(B, H, dtype)
            steps = unrolled(module, x, None if number % 2 else (h, c) if cell == "LSTMCell" else h)
            wanted = [x, h, c, *module.parameters()]
            found.append([*steps, *torch.autograd.grad(loss_of(steps), wanted, allow_unused=True)])
        close(*found)
    assert len(kernel_calls) == T * len(BATCHES)
    assert not any("engine" in call for call in kernel_calls)  # nothing was packed or compared


def test_a_step_is_one_node(cell: str, twins: Any) -> None:
    ours, _ = twins(cell, I, 5)
    x, *_ = data(3, 5, torch.float32)
    last = unrolled(ours, x.detach(), None)[-1]
    seen, todo = set(), [last.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [following for following, _ in node.next_functions]
    assert len([node for node in seen if "AccumulateGrad" not in node.name()]) == T + 1


def test_parts_of_the_gradient(cell: str, twins: Any) -> None:
    found = []
    for module in twins(cell, I, 5, dtype=torch.float64):
        x, *_ = data(3, 5, torch.float64)
        loss = loss_of(unrolled(module, x, None))
        parts = []
        for wanted in ([x], [module.weight_hh], [module.bias_ih, x], list(module.parameters())):
            parts += torch.autograd.grad(loss, wanted, retain_graph=True)
        loss.backward(retain_graph=True, inputs=[module.weight_ih])
        loss.backward()
        found.append([*parts, *[p.grad for p in module.parameters()]])
    close(*found)


def test_some_weights_are_frozen(cell: str, twins: Any) -> None:
    for frozen in (["weight_hh"], ["weight_ih", "bias_hh"], ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]):
        found = []
        for module in twins(cell, I, 5, dtype=torch.float64):
            x, *_ = data(3, 5, torch.float64)
            unrolled(module, x, None)
            for name in frozen:
                getattr(module, name).requires_grad_(False)
            loss_of(unrolled(module, x, None)).backward()
            found.append([x.grad, *[p.grad for p in module.parameters()]])
        close(*found)


def test_a_backward_that_raised_leaves_nothing(cell: str, twins: Any) -> None:
    found = []
    for module in twins(cell, I, 5, dtype=torch.float64):
        x, *_ = data(3, 5, torch.float64)

        def fail(grad: Tensor) -> None:
            raise KeyboardInterrupt

        broken = (x * 1).detach().requires_grad_()
        steps = unrolled(module, broken, None)
        steps[0].register_hook(fail)
        with pytest.raises(KeyboardInterrupt):
            loss_of(steps).backward()
        module.zero_grad()
        loss_of(unrolled(module, x, None)).backward()
        found.append([x.grad, *[p.grad for p in module.parameters()]])
    close(*found)


def test_truncated_backpropagation_with_a_step_of_the_optimiser_between(cell: str, twins: Any) -> None:
    found = []
    for module in twins(cell, I, 5, dtype=torch.float64):
        x, *_ = data(3, 5, torch.float64)
        optimiser = torch.optim.SGD(module.parameters(), 0.1)
        state: Any = None
        for part in (x[:2], x[2:]):
            optimiser.zero_grad()
            steps = unrolled(module, part, state)
            loss_of(steps).backward()
            optimiser.step()
            state = tuple(step.detach() for step in steps[-2:]) if cell == "LSTMCell" else steps[-1].detach()
        found.append([x.grad, *module.parameters()])
    close(*found)


def test_a_weight_that_was_changed_since_is_refused_as_by_torch(cell: str, twins: Any) -> None:
    for module in twins(cell, I, 5):
        x, *_ = data(3, 5, torch.float32)
        loss = loss_of(unrolled(module, x, None))
        with torch.no_grad():
            module.weight_hh.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_threads_at_once(cell: str, twins: Any) -> None:
    """One module, a graph and a backward in each thread."""
    ours, theirs = twins(cell, I, 5, dtype=torch.float64)
    batches = [data(1 + n % 3, 5, torch.float64)[0] for n in range(12)]
    due = [torch.autograd.grad(loss_of(unrolled(theirs, x, None)), [x, *theirs.parameters()]) for x in batches]
    found: dict[int, Any] = {}

    def work(n: int) -> None:
        for _ in range(5):
            x = batches[n]
            found[n] = torch.autograd.grad(loss_of(unrolled(ours, x, None)), [x, *ours.parameters()])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, expected in enumerate(due):
        close(found[n], expected)


def test_one_weight_in_two_cells(cell: str, twins: Any) -> None:
    found = []
    for module in twins(cell, I, I, dtype=torch.float64):
        other = type(module)(I, I, dtype=torch.float64)
        with torch.no_grad():
            for name, p in other.named_parameters():
                p.copy_(getattr(module, name).flip(0))
        other.weight_hh = module.weight_hh
        x, *_ = data(3, I, torch.float64)
        hidden = unrolled(module, x, None)[:: 2 if cell == "LSTMCell" else 1]
        loss_of(unrolled(other, torch.stack(hidden), None)).backward()
        found.append([x.grad, *[p.grad for p in (*module.parameters(), *other.parameters())]])
    close(*found)
