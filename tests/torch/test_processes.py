"""Threads and processes: torch's number of threads, several Python threads, forks and shared memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import fastlstm
import fastlstm.torch

I, H = 3, 5


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    torchs, ours = torch.get_num_threads(), fastlstm.get_num_threads()
    yield
    torch.set_num_threads(torchs)
    fastlstm.set_num_threads(ours)


def batch(seed: int = 0) -> Tensor:
    return torch.randn(6, 3, I, generator=torch.Generator().manual_seed(seed))


def state(result: Any) -> Tensor:
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize(("torchs", "ours", "due"), [(1, 8, 1), (2, 8, 2), (3, 8, 3), (8, 2, 2), (8, 1, 1)])
def test_a_call_uses_the_smaller_of_both_numbers(
    torchs: int, ours: int, due: int, kind: str, kernel_calls: Any
) -> None:
    """torch.set_num_threads and fastlstm.set_num_threads; with and without a backward, layers and cells, one step.

    But for a step with too little work for a second thread, which does not ask.
    """
    layer, cell = getattr(fastlstm.torch, kind)(I, H), getattr(fastlstm.torch, f"{kind}Cell")(I, H)
    wide = getattr(fastlstm.torch, kind)(128, 128)
    torch.set_num_threads(torchs)
    fastlstm.set_num_threads(ours)
    layer(batch())[0].sum().backward()
    state(cell(batch()[0])).sum().backward()
    with torch.no_grad():
        layer(batch())
        wide(torch.zeros(1, 16, 128))
        cell(batch()[0])
        layer(batch()[:1])
    assert [call["threads"] for call in kernel_calls] == [*[due] * 5, 1]


def test_a_compiled_graph_uses_torchs_number(kernel_calls: Any) -> None:
    torch._dynamo.reset()
    call = torch.compile(fastlstm.torch.GRU(I, H), fullgraph=True, backend="eager")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        fastlstm.set_num_threads(4)
        call(batch())
    assert [call["threads"] for call in kernel_calls] == [1, 2]
    torch._dynamo.reset()


def work(module: torch.nn.Module, seed: int, repeat: int = 20) -> list[Tensor]:
    """Output and gradient of the input, the last of many."""
    for _ in range(repeat):
        x = batch(seed).requires_grad_()
        output = state(module(x))
        (grad,) = torch.autograd.grad(output.sin().sum(), x)
        with torch.no_grad():
            step = state(module(x[:1]))
    return [output.detach(), grad, step]


def in_threads(count: int, function: Any) -> list[Any]:
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(n: int) -> None:
        start.wait()
        results[n] = function(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_module_in_several_threads(kind: str) -> None:
    """The first call, in which the weights are packed, is made by all at once."""
    for _ in range(5):
        ours = getattr(fastlstm.torch, kind)(I, H, 2)
        results = in_threads(6, lambda n, module=ours: work(module, n))
        for n, found in enumerate(results):
            for mine, due in zip(found, work(ours, n, 1), strict=True):
                assert torch.equal(mine, due)


def test_a_module_for_each_thread(kind: str) -> None:
    modules = [getattr(fastlstm.torch, kind)(I, H) for _ in range(4)]
    results = in_threads(4, lambda n: work(modules[n], n))
    for n, found in enumerate(results):
        for mine, due in zip(found, work(modules[n], n, 1), strict=True):
            assert torch.equal(mine, due)


class Encoded(torch.utils.data.Dataset[Tensor]):
    """A data set whose samples go through a layer, in the worker."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Tensor:
        with torch.no_grad():
            return state(self.module(batch(index)))


# Python 3.12 and later warn of every fork of a process with threads.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_data_loader(start: str) -> None:
    """After the parent has used the layer and its threads."""
    layer = fastlstm.torch.LSTM(I, H)
    wide = fastlstm.torch.GRU(64, 256)
    wide(torch.randn(30, 16, 64))[0].sum().backward()
    data = Encoded(layer)
    due = [data[n] for n in range(len(data))]
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=start)
    for mine, one in zip(loader, due, strict=True):
        assert torch.equal(mine, one)
    assert torch.equal(data[0], due[0])


def train_in_a_child(module: torch.nn.Module, loss: Tensor) -> None:
    """One step of SGD on shared weights, and what came of a forward and backward in the child."""
    output = module(batch())[0]
    output.sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0.1 * parameter.grad
    loss.copy_(module(batch())[0].detach().sum())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_weights_in_shared_memory(start: str, kernel_calls: Any) -> None:
    """Written to by a child, they are packed anew here: no version counter moves, the bytes have changed."""
    module = fastlstm.torch.GRU(I, H)
    before = module(batch())[0].detach().sum()
    module.share_memory()
    with torch.no_grad():
        assert torch.equal(module(batch())[0].sum(), before)
    loss = torch.zeros(()).share_memory_()
    context = torch.multiprocessing.get_context(start)
    child = context.Process(target=train_in_a_child, args=(module, loss))
    child.start()
    child.join()
    assert child.exitcode == 0
    with torch.no_grad():
        after = module(batch())[0].sum()
    assert after < before
    torch.testing.assert_close(after, loss)
    assert kernel_calls[-1]["version"] != kernel_calls[-2]["version"]
