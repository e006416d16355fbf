"""A call that differs in one thing from those before it is looked at anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from fastlstm.torch import quick

I, H, B = 3, 5, 2


class Watching(TorchDispatchMode):
    """Torch's operators, seen one by one."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


def double(module: nn.Module) -> None:
    for weight in module.parameters():
        weight.data = weight.data.double()


def narrow(module: nn.Module) -> None:
    """One weight of the right size, in a shape that is not."""
    name = next(iter(module.state_dict()))
    getattr(module, name).data = getattr(module, name).data.reshape(I, -1)


def turned(module: nn.Module) -> None:
    name = next(iter(module.state_dict()))
    getattr(module, name).data = getattr(module, name).data.T.contiguous().T * 2


def frozen(module: nn.Module) -> None:
    for weight in module.parameters():
        weight.requires_grad_(False)


def without(module: nn.Module) -> None:
    name = next(iter(module.state_dict()))
    value = getattr(module, name).detach() * 3
    delattr(module, name)
    setattr(module, name, value)


def batch_first(module: nn.Module) -> None:
    module.batch_first = True


# What is changed about the modules, about x, and around the call.
CHANGES: dict[str, tuple[Callable[[nn.Module], None] | None, Callable[[Tensor], Tensor], Callable[[], Any]]] = {
    "dtype of x": (None, Tensor.double, nullcontext),
    "dtype of the weights": (double, Tensor.clone, nullcontext),
    "both dtypes": (double, Tensor.double, nullcontext),
    "shape of a weight": (narrow, Tensor.clone, nullcontext),
    "strides of a weight": (turned, Tensor.clone, nullcontext),
    "a weight that is computed": (without, Tensor.clone, nullcontext),
    "no gradient of the weights": (frozen, Tensor.clone, nullcontext),
    "batch first": (batch_first, Tensor.clone, nullcontext),
    "more features": (None, lambda x: torch.cat([x, x], -1), nullcontext),
    "more samples": (None, lambda x: torch.cat([x, x], -2), nullcontext),
    "strides": (None, lambda x: x.transpose(0, -1).contiguous().transpose(0, -1), nullcontext),
    "negated": (None, torch._neg_view, nullcontext),
    "a gradient of x": (None, lambda x: x.clone().requires_grad_(), nullcontext),
    "a subclass": (None, nn.Parameter, nullcontext),
    "no number": (None, lambda x: 3, nullcontext),  # type: ignore[dict-item, return-value]
    "no gradients": (None, Tensor.clone, torch.no_grad),
    "inference mode": (None, Tensor.clone, torch.inference_mode),
    "a dispatch mode": (None, Tensor.clone, Watching),
}


def outcome(module: nn.Module, x: Any, hx: Any) -> tuple[Any, ...]:
    """Results and the gradients of the weights, or the error's class."""
    try:
        result = module(x, hx)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
        return (type(error),)
    first = result[0] if isinstance(result, tuple) else result
    gradients: tuple[Tensor, ...] = ()
    wanted = [weight for weight in module.parameters() if weight.requires_grad]
    if first.requires_grad and wanted:
        gradients = torch.autograd.grad(first.sum(), wanted)
    rest = result[1] if isinstance(result, tuple) else ()
    return first.detach(), *(rest if isinstance(rest, tuple) else (rest,)), *gradients


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
@pytest.mark.filterwarnings("ignore:fastlstm:RuntimeWarning")
def test_one_thing_is_another(kind: str, change: str, twins: Any) -> None:
    edit, other, around = CHANGES[change]
    ours, theirs = twins(kind, I, H)
    lead = (B,) if kind == "GRUCell" else (1, B)
    x, h = torch.randn(*lead, I), torch.randn(*lead, H)
    hx = h if kind == "GRUCell" else (h, h.clone())
    for _ in range(3):
        ours(x, hx)
    if edit:
        edit(ours)
        edit(theirs)
    with around():
        found, due = outcome(ours, other(x), hx), outcome(theirs, other(x), hx)
    assert len(found) == len(due), (found, due)
    for one, wanted in zip(found, due, strict=True):
        if isinstance(wanted, Tensor):
            torch.testing.assert_close(one, wanted)
            assert one.requires_grad == wanted.requires_grad
        else:
            assert one is wanted


@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
def test_training_behind_validation(kind: str, twins: Any) -> None:
    x = torch.randn(*((B,) if kind == "GRUCell" else (1, B)), I)
    results = []
    for module in twins(kind, I, H):
        with torch.no_grad():
            module(x)
        results.append(outcome(module, x, None))
    for one, wanted in zip(*results, strict=True):
        torch.testing.assert_close(one, wanted)


def test_other_states(twins: Any) -> None:
    """None, two, one, a list, one of another size, one that wants a gradient: each behind calls of every other."""
    ours, theirs = twins("LSTM", I, H)
    x, h = torch.randn(1, B, I), torch.randn(1, B, H)
    forms = [None, (h, h), h, [h, h], (h,), (h, h[:, :1]), (h, h.double()), (h, h.clone().requires_grad_()), (h, 3)]
    for hx in [*forms, *forms[::-1]]:
        found, due = outcome(ours, x, hx), outcome(theirs, x, hx)
        assert len(found) == len(due), hx
        for one, wanted in zip(found, due, strict=True):
            if isinstance(wanted, Tensor):
                torch.testing.assert_close(one, wanted)


@pytest.mark.filterwarnings("ignore:fastlstm:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, where it makes tangents
def test_dual_numbers_go_to_torch(twins: Any) -> None:
    x = torch.randn(B, I)
    tangents = []
    for module in twins("GRUCell", I, H):
        module(x)
        with forward_ad.dual_level():
            after = module(forward_ad.make_dual(x, torch.ones_like(x)))
            tangents.append(forward_ad.unpack_dual(after).tangent)
    torch.testing.assert_close(*tangents)


def test_dropout_begins_and_ends(twins: Any) -> None:
    ours, theirs = twins("LSTM", I, H, 2, dropout=0.5)
    x = torch.randn(4, B, I)
    for training in (False, True, False, True):
        results = []
        for module in (ours, theirs):
            module.train(training)
            torch.manual_seed(1)
            results.append(module(x)[0].detach())
        torch.testing.assert_close(*results)


def test_a_torch_without_guards(monkeypatch: pytest.MonkeyPatch, twins: Any) -> None:
    """Then each call is looked at like a first one."""
    monkeypatch.setattr(quick, "guards", None)
    for kind in ("LSTM", "GRUCell"):
        ours, theirs = twins(kind, I, H)
        x = torch.randn(*((B,) if kind == "GRUCell" else (1, B)), I)
        for _ in range(2):
            for one, wanted in zip(outcome(ours, x, None), outcome(theirs, x, None), strict=True):
                torch.testing.assert_close(one, wanted)
