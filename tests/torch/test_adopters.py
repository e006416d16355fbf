"""accelerate knows other libraries' step-by-step modules by their names, and computes what they compute."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fastlstm.torch
from fastlstm.reference import Reference
from fastlstm.torch.adopters import ADOPTERS
from fastlstm.torch.cards import PLACES

from . import others_modules as others

CLASSES = [others.Tirex, others.Xlstm, others.EntityAware, others.Custom]


@pytest.fixture(autouse=True)
def by_the_reference(monkeypatch: Any) -> None:
    """The kernels of these cells are as those of the shelf's: nothing is compiled here."""
    monkeypatch.setattr(type(PLACES["cpu"]), "engine", lambda self, config, dtype: Reference(config, dtype))


def made(cls: type) -> Any:
    torch.manual_seed(0)
    return cls()


def tensors(value: Any) -> list[Tensor]:
    return list(value.values()) if isinstance(value, dict) else list(value)


@pytest.mark.parametrize("given", [False, True], ids=["", "with states"])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__module__)
def test_values_and_gradients_are_theirs(cls: type, given: bool) -> None:
    model = nn.Sequential()
    model.inner = made(cls)
    parameters = dict(model.named_parameters())
    arguments = others.arguments(cls, given)
    found = []
    for accelerated in (False, True):
        if accelerated:
            report = fastlstm.torch.accelerate(model)
            assert [entry.kind for entry in report.replaced] == [cls.__name__]
            assert "inner" in str(report)
            assert not report.kept
        values = tensors(model.inner(*arguments))
        loss = sum((value * torch.arange(value.numel()).view(value.shape).cos()).sum() for value in values)
        found.append([*values, *torch.autograd.grad(loss, list(model.parameters()))])
    assert type(model.inner) is not cls
    assert isinstance(model.inner, cls)
    assert model.inner.was_called
    assert not model.inner.declined
    for due, ours in zip(*found, strict=True):
        assert ours.shape == due.shape
        torch.testing.assert_close(ours, due, rtol=1e-9, atol=1e-10)
    assert all(value is parameters[name] for name, value in model.named_parameters())
    fastlstm.torch.restore(model)
    assert type(model.inner) is cls
    assert set(vars(model.inner)) == set(vars(made(cls)))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__module__)
def test_a_copy_is_ours_and_a_pickle_theirs(cls: type, monkeypatch: Any) -> None:
    monkeypatch.setattr(others, cls.__name__, cls, raising=False)
    monkeypatch.setattr(cls, "__module__", others.__name__)
    monkeypatch.setitem(fastlstm.torch.adopters.ADOPTERS, (others.__name__, cls.__name__), name_of(cls))
    module = made(cls)
    fastlstm.torch.accelerate(module)
    arguments = others.arguments(cls, False)
    due = tensors(module(*arguments))
    twin = copy.deepcopy(module)
    assert type(twin) is type(module)
    restored = pickle.loads(pickle.dumps(module))
    assert type(restored) is cls
    for other in (twin, restored):
        torch.testing.assert_close(tensors(other(*arguments)), due)


def name_of(cls: type) -> str:
    return next(name for (_, known), name in ADOPTERS.items() if known == cls.__name__)


def other_gates(module: Any) -> None:
    """The layout is right, the step another one."""
    module._cell = lambda x, i, states: (states[0] + 1, states[1])


KEPT = {
    "another backend": (others.Tirex, lambda m: setattr(m, "backend", "cuda"), "its backend is 'cuda', not 'torch'"),
    "kernels of its own": (others.XlstmCuda, lambda m: None, "its backend is 'cuda', not 'vanilla'"),
    "another function": (others.Xlstm, lambda m: setattr(m.config, "function", "gru"), "its function is 'gru'"),
    "another layout": (others.Xlstm, lambda m: setattr(m, "_bias_", others.draw(3)), "_bias_ has shape (3,)"),
    "another step": (others.EntityAware, other_gates, "its step gives other values"),
    "nothing to try": (others.Custom, lambda m: delattr(m, "cell"), "has no attribute 'cell'"),
    "hooks": (others.Custom, lambda m: m.cell.register_forward_hook(print), "a LSTMStep inside has hooks"),
    "forward replaced": (others.Tirex, lambda m: setattr(m, "forward", print), "forward was replaced in the instance"),
    "a subclass": (type("Mine", (others.Tirex,), {}), lambda m: None, "Mine is a subclass of sLSTMCell"),
    "untried": (
        others.Tirex,
        lambda m: m.bfloat16(),
        "its step could not be tried: its parameters are on another device",
    ),
    "accelerated": (others.Tirex, fastlstm.torch.accelerate, "accelerated already"),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_theirs_is_kept_and_said(name: str) -> None:
    cls, change, reason = KEPT[name]
    module = made(cls)
    change(module)
    before = type(module)
    report = fastlstm.torch.accelerate(module)
    assert type(module) is before
    assert not report.replaced
    (entry,) = report.kept
    assert reason in entry.reason


def half_begun() -> tuple[Any, ...]:
    x, state = others.arguments(others.Tirex, True)
    state[2, 0] = 0
    return x, state


def hooked(module: Any) -> None:
    module.dynamic_gates.register_forward_pre_hook(lambda *_: None)


DECLINED = {
    "some normalisers": (others.Tirex, lambda m: None, half_begun, "some normalisers"),
    "hooks since": (others.EntityAware, hooked, lambda: others.arguments(others.EntityAware, False), "has hooks"),
    "two dtypes": (others.Xlstm, lambda m: setattr(m, "_bias_", nn.Parameter(m._bias_.float())),
                   lambda: others.arguments(others.Xlstm, False), "float32, torch.float64, expected one"),
}  # fmt: skip


@pytest.mark.parametrize("name", DECLINED)
def test_what_is_not_for_the_kernels_is_left_to_theirs(name: str) -> None:
    cls, change, arguments, reason = DECLINED[name]
    module = made(cls)
    report = fastlstm.torch.accelerate(module)
    change(module)
    given = arguments()
    fastlstm.torch.serve._warned.clear()
    with pytest.warns(RuntimeWarning, match=reason):
        found = tensors(module(*given))
    assert list(module.declined.values()) == [1]
    assert "1 calls by its own" in str(report)
    fastlstm.torch.restore(module)
    for one, due in zip(found, tensors(module(*given)), strict=True):
        assert torch.equal(one, due)


def test_a_wrong_call_is_told_by_theirs() -> None:
    module = made(others.Tirex)
    fastlstm.torch.accelerate(module)
    with pytest.raises(RuntimeError):
        module(torch.zeros(3, 4, 7), None)


def test_a_model_built_anew_is_told() -> None:
    report = fastlstm.torch.accelerate(made(others.Xlstm))
    (entry,) = report.inactive(made(others.Xlstm))
    assert entry.reason == "built anew: call accelerate again"
