"""What the tests of the torch modules share: modules of both sides with the same weights, and how they are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

import fastlstm.torch
from fastlstm.engine import Engine
from fastlstm.engine.unpacked import Unpacked
from fastlstm.spec import Call
from fastlstm.torch import runner, serve

TOLERANCE = {
    torch.float32: {"rtol": 1.3e-6, "atol": 1e-5},  # torch.testing.assert_close's own for float32
    torch.float64: {"rtol": 1e-10, "atol": 1e-12},
}
"""For rounding: sums are taken in another order than torch's, and tanh is another approximation."""


@pytest.fixture(autouse=True)
def each_test_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning is an error in this suite, so a call that falls back unseen fails the test that makes it.

    What a failed test's traceback keeps alive is no other test's concern.
    """
    monkeypatch.setattr(serve, "_warned", set())
    monkeypatch.setattr(runner, "_kept", WeakValueDictionary())


@pytest.fixture
def kernel_calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Each forward that the kernels are asked for: `engine`, `version` and `threads`."""
    calls: list[dict[str, Any]] = []
    forward, step = Engine.forward, Unpacked.step

    def counted(self: Engine, parameters: Any, version: Any, x: Any, states: Any, call: Call) -> Any:
        calls.append({"engine": self, "version": version, "threads": call.threads})
        return forward(self, parameters, version, x, states, call)

    def counted_step(self: Unpacked, weights: Any, B: int, threads: int, *rest: Any) -> None:
        calls.append({"threads": threads})
        step(self, weights, B, threads, *rest)

    monkeypatch.setattr(Engine, "forward", counted)
    monkeypatch.setattr(Unpacked, "step", counted_step)
    return calls


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stacked both ways": {"num_layers": 2, "bidirectional": True},
    "batch first": {"batch_first": True},
    "batch first stacked both ways": {"num_layers": 2, "bidirectional": True, "batch_first": True},
    "no bias": {"bias": False},
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Constructor options of a layer."""
    return dict(FORMS[request.param])


@pytest.fixture(params=["LSTM", "GRU", "RNN"])
def kind(request: pytest.FixtureRequest) -> str:
    """A layer's class."""
    return str(request.param)


@pytest.fixture(params=["LSTMCell", "GRUCell", "RNNCell"])
def cell(request: pytest.FixtureRequest) -> str:
    """A cell's class."""
    return str(request.param)


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """The dtypes of the kernels."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def draw_states() -> Callable[..., Any]:
    """`draw_states(module)`: random initial states as `forward` takes them; `B=None` for an unbatched call."""

    def draw(module: torch.nn.RNNBase, B: int | None = 3) -> Any:
        count = module.num_layers * (2 if module.bidirectional else 1)
        dtype, batch = module.weight_ih_l0.dtype, () if B is None else (B,)
        h = torch.randn(count, *batch, module.proj_size or module.hidden_size, dtype=dtype)
        return (h, torch.randn(count, *batch, module.hidden_size, dtype=dtype)) if module.mode == "LSTM" else h

    return draw


@pytest.fixture
def draw_input() -> Callable[..., Tensor]:
    """`draw_input(module)`: a random input of T = 6 steps and B = 3 sequences."""

    def draw(module: torch.nn.RNNBase) -> Tensor:
        shape = (3, 6) if module.batch_first else (6, 3)
        return torch.randn(*shape, module.input_size, dtype=module.weight_ih_l0.dtype)

    return draw


Twins = Callable[..., tuple[torch.nn.Module, torch.nn.Module]]


@pytest.fixture
def twins() -> Twins:
    """`twins("LSTM", 3, 5)`: a module of fastlstm.torch and torch.nn's, with the same weights."""

    def build(kind: str, *args: Any, **options: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
        torch.manual_seed(0)
        theirs = getattr(torch.nn, kind)(*args, **options)
        ours = getattr(fastlstm.torch, kind)(*args, **options)
        ours.load_state_dict(theirs.state_dict())
        return ours, theirs

    return build


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a module's arguments or result, in order."""
    if isinstance(value, PackedSequence):
        yield value.data
    elif isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors(part)


def twin(value: Any, wants_gradient: bool = True) -> Any:
    """Arguments again, as leaves of their own, with the strides of the first."""
    if isinstance(value, PackedSequence):
        return PackedSequence(twin(value.data, wants_gradient), *value[1:])
    if isinstance(value, Tensor):
        floating = value.is_floating_point()
        # A view of a copy: strides, also those of an expanded tensor, stay.
        storage = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage().clone())
        view = storage.as_strided(value.shape, value.stride(), value.storage_offset())
        return view.requires_grad_(wants_gradient and floating)
    if isinstance(value, tuple | list):
        return type(value)(twin(part, wants_gradient) for part in value)
    return value


def run(module: torch.nn.Module, args: tuple[Any, ...], seed: int = 1) -> tuple[list[Tensor], list[Tensor | None]]:
    """Outputs and states; gradients of the inputs, initial states and parameters for random gradients of those."""
    args = twin(args)
    torch.manual_seed(seed)  # dropout
    results = list(tensors(module(*args)))
    inputs = [*tensors(args), *module.parameters()]
    generator = torch.Generator().manual_seed(seed)
    grads = [torch.randn(result.shape, dtype=result.dtype, generator=generator) for result in results]
    return [result.detach() for result in results], list(torch.autograd.grad(results, inputs, grads, allow_unused=True))


@pytest.fixture
def agree(kernel_calls: list[dict[str, Any]]) -> Callable[..., None]:
    """`agree(ours, theirs, *args)`: same values, dtypes and gradients, and the kernels computed ours."""

    def check(ours: torch.nn.Module, theirs: torch.nn.Module, *args: Any, served: bool = True) -> None:
        before = len(kernel_calls)
        outputs, grads = run(ours, args)
        assert (len(kernel_calls) > before) is served
        due_outputs, due_grads = run(theirs, args)
        for mine, due in zip([*outputs, *grads], [*due_outputs, *due_grads], strict=True):
            if due is None:
                assert mine is None
                continue
            torch.testing.assert_close(mine, due, **TOLERANCE[due.dtype])

    return check
