"""What the kernels cannot serve is computed by torch's own operators, told once with the reason, and right."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

import fastlstm.torch

I, H = 3, 5
B, T = 3, 6


def batch(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(T, B, I, generator=torch.Generator().manual_seed(0)).to(dtype)


def flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [tensor for part in result for tensor in flat(part)]


class Marked(torch.Tensor):
    """A subclass, as others use for quantization or sharding."""


def half(module: torch.nn.Module) -> Any:
    return module.half()(batch(torch.float16))


def bfloat16(module: torch.nn.Module) -> Any:
    return module.to(torch.bfloat16)(batch(torch.bfloat16))


def autocast(module: torch.nn.Module) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return module(batch())


def subclass(module: torch.nn.Module) -> Any:
    return module(batch().as_subclass(Marked))


def vmapped(module: torch.nn.Module) -> Any:
    return torch.func.vmap(lambda x: module(x)[0])(torch.stack([batch(), 2 * batch()]))


def func_grad(module: torch.nn.Module) -> Any:
    return torch.func.grad(lambda x: module(x)[0].sum())(batch())


def per_sample_gradients(module: torch.nn.Module) -> Any:
    weights = {name: parameter.detach() for name, parameter in module.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(module, weights, (x[:, None],))[0].sum()  # type: ignore[no-any-return]

    grads = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(weights, batch())
    return list(grads.values())


def forward_mode(module: torch.nn.Module) -> Any:
    module.requires_grad_(False)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(batch(), torch.ones(T, B, I))
        return torch.autograd.forward_ad.unpack_dual(module(dual)[0]).tangent


def mutation_allowed(module: torch.nn.Module) -> Any:
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        return module(batch())


def counted(module: torch.nn.Module) -> Any:
    with FlopCounterMode(display=False):
        return module(batch())


REASONS: dict[str, tuple[Callable[[torch.nn.Module], Any], str]] = {
    "half": (half, r"the tensors are torch.float16, the kernels compute in float32 and float64"),
    "bfloat16": (bfloat16, r"the tensors are torch.bfloat16"),
    "autocast": (autocast, r"autocast is on"),
    "subclass": (subclass, r"a tensor is a Marked"),
    "vmap": (vmapped, r"a transform of torch.func, such as vmap or grad, is active"),
    "func.grad": (func_grad, r"a transform of torch.func"),
    "per-sample gradients": (per_sample_gradients, r"a transform of torch.func"),
    "mutation allowed": (mutation_allowed, r"a TorchDispatchMode, such as FakeTensorMode, is active"),
    "flop counter": (counted, r"a TorchDispatchMode"),
}
# torch has no forward-mode derivative of its fused LSTM and GRU.
ONLY_RNN = {"forward mode": (forward_mode, r"forward-mode differentiation is on")}


def refusal(way: Callable[[torch.nn.Module], Any], module: torch.nn.Module) -> str | None:
    """What torch's operators cannot do, either: vmap of a layer, bfloat16 on a CPU without it."""
    try:
        way(module)
    except RuntimeError as error:
        return str(error)
    return None


def check(way: Callable[[torch.nn.Module], Any], reason: str, modules: Any, kernel_calls: Any) -> None:
    ours, theirs = modules
    before = len(kernel_calls)
    message = refusal(way, theirs)
    if message is not None:
        assert refusal(way, ours) == message
        return
    with pytest.warns(RuntimeWarning, match=f"fastlstm: torch's own operators compute this layer: .*{reason}"):
        mine = flat(way(ours))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        way(ours)  # once
    assert len(kernel_calls) == before
    torch.manual_seed(0)
    for one, other in zip(mine, flat(way(theirs)), strict=True):
        assert one.dtype is other.dtype
        torch.testing.assert_close(one, other, rtol=0, atol=0)


# torch itself warns where it has no batching rule.
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize(("way", "reason"), REASONS.values(), ids=REASONS)
def test_layers(way: Callable[[torch.nn.Module], Any], reason: str, kind: str, twins: Any, kernel_calls: Any) -> None:
    check(way, reason, twins(kind, I, H), kernel_calls)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("way", "reason"), ONLY_RNN.values(), ids=ONLY_RNN)
def test_forward_mode(way: Callable[[torch.nn.Module], Any], reason: str, twins: Any, kernel_calls: Any) -> None:
    check(way, reason, twins("RNN", I, H), kernel_calls)


CELL_WAYS = ("half", "bfloat16", "autocast", "subclass", "mutation allowed", "flop counter")


@pytest.mark.parametrize("name", CELL_WAYS)
def test_cells(name: str, cell: str, twins: Any, kernel_calls: Any) -> None:
    way, reason = REASONS[name]

    class Step(torch.nn.Module):
        """A cell that is called with one step of the batch."""

        def __init__(self, cell: torch.nn.Module) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: Tensor) -> Any:
            return self.cell(x[0])

    check(way, reason, [Step(module) for module in twins(cell, I, H)], kernel_calls)


def test_the_warning_shows_the_callers_line(twins: Any) -> None:
    ours, _ = twins("GRU", I, H)
    model = torch.nn.Sequential(ours.half())
    with pytest.warns(RuntimeWarning) as warned:
        model(batch(torch.float16))
    assert warned[0].filename == __file__


def test_an_error_of_torchs_comes_without_a_warning(twins: Any) -> None:
    ours, _ = twins("GRU", I, H)
    with pytest.raises(ValueError, match="does not match weight dtype"):  # a warning would be an error here
        ours(batch(torch.float16))


@pytest.mark.parametrize("way", ["bfloat16", "autocast"])
def test_resets_are_computed_all_the_same(way: str, kind: str, twins: Any, kernel_calls: Any) -> None:
    ours, _ = twins(kind, I, H, 2)
    reset = torch.rand(T, B) < 0.4
    due = ours(batch(), reset=reset)[0]
    served = len(kernel_calls)
    dtype = torch.bfloat16 if way == "bfloat16" else torch.float32
    ours.to(dtype)
    with pytest.warns(RuntimeWarning, match="float"), torch.autocast("cpu", torch.bfloat16, way == "autocast"):
        mine = ours(batch(dtype), reset=reset)[0]
    assert len(kernel_calls) == served
    torch.testing.assert_close(mine.float(), due, rtol=0.05, atol=0.03)  # bfloat16 has 8 bits


def test_gradients_of_a_fallback(twins: Any) -> None:
    grads = []
    for module in twins("LSTM", I, H):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            bfloat16(module)[0].sum().backward()
        grads.append([parameter.grad for parameter in module.parameters()])
    for mine, due in zip(*grads, strict=True):
        assert torch.equal(mine, due)


def test_back_from_half_the_kernels_serve_again(twins: Any, kernel_calls: Any) -> None:
    ours, _ = twins("GRU", I, H)
    with pytest.warns(RuntimeWarning):
        half(ours)
    assert not kernel_calls
    ours.float()(batch())
    assert kernel_calls


def test_meta_and_fake_tensors(kind: str) -> None:
    """Shapes without numbers: torch's own, and never the memory that is not there."""
    ours = getattr(fastlstm.torch, kind)(I, H, device="meta")
    with pytest.warns(RuntimeWarning, match="on meta"):
        assert ours(torch.empty(T, B, I, device="meta"))[0].shape == (T, B, H)
    ours.to_empty(device="cpu").reset_parameters()
    assert ours(batch())[0].device.type == "cpu"
    with FakeTensorMode(allow_non_fake_inputs=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        fake = getattr(fastlstm.torch, kind)(I, H)
        assert fake(torch.empty(T, B, I))[0].shape == (T, B, H)


def test_deferred_initialisation_under_a_default_device() -> None:
    with torch.device("meta"):
        module = fastlstm.torch.LSTM(I, H)
    assert module.weight_ih_l0.is_meta
    with torch.device("cpu"):
        assert fastlstm.torch.LSTM(I, H)(batch())[0].shape == (T, B, H)


def test_sparse_and_negated_inputs(twins: Any) -> None:
    ours, theirs = twins("GRU", I, H)
    lazily = torch.complex(torch.zeros(T, B, I), batch()).conj().imag
    assert lazily.is_neg()
    with pytest.warns(RuntimeWarning, match="lazily negated"):
        mine = ours(lazily)[0]
    torch.testing.assert_close(mine, theirs(lazily)[0])
    torch.testing.assert_close(mine, ours(-batch())[0])
