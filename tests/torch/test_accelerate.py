"""accelerate and restore: what is replaced, what is kept, and that everything else stays the same object."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, parametrize, prune

import fastlstm.torch
from fastlstm.torch import accelerate, restore

I, H = 3, 5
KINDS = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")


class Tower(torch.nn.Module):
    """A layer, a cell and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.cell, self.head = torch.nn.LSTM(I, H, 2), torch.nn.GRUCell(H, H), torch.nn.Linear(H, 2)
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(self.layer(x)[0][-1])) + self.mean  # type: ignore[no-any-return]


class OwnForward(torch.nn.LSTM):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]  # type: ignore[no-any-return]


class OwnInit(torch.nn.GRU):
    def reset_parameters(self) -> None:
        torch.nn.init.zeros_(self.weight_ih_l0)


class Derived(fastlstm.torch.LSTM):
    pass


def batch() -> Tensor:
    return torch.randn(6, 2, I, generator=torch.Generator().manual_seed(0))


def test_every_kind_anywhere() -> None:
    inner = torch.nn.ModuleDict({kind: getattr(torch.nn, kind)(I, H) for kind in KINDS})
    model = torch.nn.Sequential(torch.nn.Linear(2, I), torch.nn.ModuleList([inner]))
    report = accelerate(model)
    assert [(entry.name, entry.kind) for entry in report.replaced] == [(f"1.0.{kind}", kind) for kind in KINDS]
    assert not report.kept
    for kind, module in inner.items():
        assert type(module) is getattr(fastlstm.torch, kind)
    assert type(model[0]) is torch.nn.Linear


def test_the_model_itself() -> None:
    module = torch.nn.GRU(I, H)
    report = accelerate(module)
    assert type(module) is fastlstm.torch.GRU
    assert [entry.name for entry in report.replaced] == [""]
    assert "(the model)" in str(report)


def test_everything_stays_the_same_object(kernel_calls: Any) -> None:
    model = Tower().eval()
    calls: list[str] = []
    model.layer.register_forward_pre_hook(lambda module, args: calls.append("before"))
    model.layer.register_full_backward_hook(lambda module, gi, go: calls.append("back"))
    model.layer.note = "kept"  # type: ignore[assignment]
    optimizer = torch.optim.Adam(model.parameters())
    before = {name: id(value) for name, value in [*model.named_parameters(), *model.named_buffers()]}
    modules = {name: id(module) for name, module in model.named_modules()}
    due = model(batch())
    accelerate(model)
    assert {name: id(value) for name, value in [*model.named_parameters(), *model.named_buffers()]} == before
    assert {name: id(module) for name, module in model.named_modules()} == modules
    assert not model.layer.training
    assert model.layer.note == "kept"
    assert not kernel_calls
    torch.testing.assert_close(model(batch()), due)
    assert len(kernel_calls) == 2
    model.train()(batch().requires_grad_()).sum().backward()
    assert calls == ["before", "before", "before", "back"]
    optimizer.step()


def test_the_same_training_run() -> None:
    """An accelerated model, one accelerated half-way, and torch's: same weights after twenty steps."""
    ends = []
    for when in (0, 10, None):
        torch.manual_seed(0)
        model = Tower().double()
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for step in range(20):
            if step == when:
                accelerate(model)
            optimizer.zero_grad()
            model(batch().double()).pow(2).sum().backward()
            optimizer.step()
        ends.append(list(model.state_dict().values()))
    for first, second, due in zip(*ends, strict=True):
        torch.testing.assert_close(first, due, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(second, due, rtol=1e-9, atol=1e-10)


def test_a_shared_module_is_replaced_once() -> None:
    layer = torch.nn.GRU(H, H)
    model = torch.nn.Sequential(layer, torch.nn.Identity())
    model.add_module("again", layer)
    report = accelerate(model)
    assert [entry.name for entry in report.replaced] == ["0"]
    assert type(model.again) is fastlstm.torch.GRU
    assert model.again is model[0]


def test_ties_stay() -> None:
    model = torch.nn.ModuleList([torch.nn.GRU(I, H), torch.nn.GRU(I, H)])
    model[1].weight_hh_l0 = model[0].weight_hh_l0
    accelerate(model)
    assert model[1].weight_hh_l0 is model[0].weight_hh_l0
    model[1](batch())[0].sum().backward()
    once = model[0].weight_hh_l0.grad.clone()
    assert once.any()
    assert len(list(model.parameters())) == 7


def test_what_is_kept_is_reported_with_its_reason() -> None:
    replaced_forward = torch.nn.LSTM(I, H)
    replaced_forward.forward = lambda x: x  # type: ignore[method-assign, assignment]
    model = torch.nn.ModuleDict(
        {
            "own forward": OwnForward(I, H),
            "own init": OwnInit(I, H),
            "already": fastlstm.torch.RNN(I, H),
            "derived": Derived(I, H),
            "instance": replaced_forward,
            "layer": torch.nn.LSTM(I, H),
            "other": torch.nn.Linear(I, H),
        }
    )
    report = accelerate(model)
    assert [entry.name for entry in report.replaced] == ["layer"]
    assert {entry.name: (entry.kind, entry.reason) for entry in report.kept} == {
        "own forward": ("OwnForward", "OwnForward has a forward of its own: try subclasses=True"),
        "own init": (
            "OwnInit",
            "OwnInit is a subclass: try subclasses=True, or derive it from fastlstm.torch.GRU",
        ),
        "already": ("RNN", "accelerated already"),
        "derived": ("Derived", "accelerated already"),
        "instance": ("LSTM", "its forward was replaced in the instance"),
    }
    assert {name: type(module) for name, module in model.items()} == {
        "own forward": OwnForward, "own init": OwnInit, "already": fastlstm.torch.RNN, "derived": Derived,
        "instance": torch.nn.LSTM, "layer": fastlstm.torch.LSTM, "other": torch.nn.Linear,
    }  # fmt: skip
    lines = str(report).splitlines()
    assert lines[0].split() == ["layer", "LSTM", "replaced"]
    assert lines[1].startswith("own forward  OwnForward  kept: OwnForward has a forward of its own")
    assert len({line.index(what) for line, what in zip(lines, ["replaced", *["kept"] * 5], strict=True)}) == 1


def test_nothing_to_do() -> None:
    assert str(accelerate(torch.nn.Linear(2, 2))) == "no recurrent layer found"
    for function in (accelerate, restore):
        with pytest.raises(TypeError, match=r"model is a list, expected torch.nn.Module"):
            function([torch.nn.LSTM(I, H)])  # type: ignore[arg-type]


def test_scripted_layers_are_reported(recwarn: Any) -> None:
    model = torch.nn.ModuleList([torch.jit.script(torch.nn.GRUCell(I, H))])
    (entry,) = accelerate(model).kept
    assert entry.reason == "compiled by TorchScript"


def test_restore() -> None:
    model = torch.nn.ModuleList([Tower(), fastlstm.torch.RNN(I, H), Derived(I, H)])
    due = model[0](batch())
    accelerate(model)
    model[0](batch())
    report = restore(model)
    assert [(entry.name, entry.kind) for entry in report.replaced] == [
        ("0.layer", "LSTM"), ("0.cell", "GRUCell"), ("1", "RNN"),
    ]  # fmt: skip
    assert [entry.reason for entry in report.kept] == ["Derived is a subclass of fastlstm.torch.LSTM"]
    assert [type(module) for module in model] == [Tower, torch.nn.RNN, Derived]
    assert type(model[0].layer) is torch.nn.LSTM
    assert "_fastlstm_runner" not in vars(model[0].layer)
    torch.testing.assert_close(model[0](batch()), due)
    assert not restore(model).replaced


def test_context_managers() -> None:
    model = Tower()
    with accelerate(model) as report:
        assert type(model.layer) is fastlstm.torch.LSTM
        assert report.replaced
        with restore(model):
            assert type(model.layer) is torch.nn.LSTM
        assert type(model.layer) is fastlstm.torch.LSTM
        with accelerate(model):  # nothing to do, nothing to undo
            pass
        assert type(model.layer) is fastlstm.torch.LSTM
    assert type(model.layer) is torch.nn.LSTM
    with pytest.raises(KeyError), accelerate(model):
        raise KeyError
    assert type(model.layer) is torch.nn.LSTM
    report.undo()
    assert type(model.layer) is torch.nn.LSTM


def weight_norm(module: torch.nn.Module) -> None:
    parametrizations.weight_norm(module, "weight_hh_l0")


def pruned(module: torch.nn.Module) -> None:
    prune.l1_unstructured(module, "weight_hh_l0", amount=0.5)


@pytest.mark.parametrize("rewrite", [weight_norm, pruned])
def test_computed_weights(rewrite: Any, kernel_calls: Any) -> None:
    """Before accelerate and after it, and taken off in between."""
    due = torch.nn.LSTM(I, H)
    early, late = copy.deepcopy(due), copy.deepcopy(due)
    rewrite(due)
    rewrite(early)
    accelerate(early)
    accelerate(late)
    rewrite(late)
    for module in (early, late):
        torch.testing.assert_close(module(batch()), due(batch()))
        module(batch())[0].sum().backward()
    assert len(kernel_calls) == 4
    restore(early)
    restore(late)
    for module in (early, late):
        torch.testing.assert_close(module(batch()), due(batch()))
        assert not isinstance(module, fastlstm.torch.LSTM)
    assert len(kernel_calls) == 4


def test_a_parametrized_copy_is_left_alone() -> None:
    """deepcopy gives the copy the same class object, which torch made for one module."""
    module = torch.nn.LSTM(I, H)
    weight_norm(module)
    other = copy.deepcopy(module)
    with accelerate(module):
        assert isinstance(module, fastlstm.torch.LSTM)
        assert not isinstance(other, fastlstm.torch.LSTM)
        torch.testing.assert_close(module(batch()), other(batch()))
        parametrize.remove_parametrizations(module, "weight_hh_l0")
        assert type(module) is fastlstm.torch.LSTM
    assert type(module) is torch.nn.LSTM
    torch.testing.assert_close(module(batch()), other(batch()))


# Dynamo looks at it where a graph breaks, which is at torch's own LSTM.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_a_model_that_is_compiled_already(kernel_calls: Any) -> None:
    torch._dynamo.reset()
    model = Tower()
    call = torch.compile(model, backend="eager")
    due = call(batch())
    assert not kernel_calls
    accelerate(model)
    torch.testing.assert_close(call(batch()), due)
    assert len(kernel_calls) == 2
    torch._dynamo.reset()


def test_wrapped_models() -> None:
    model = torch.optim.swa_utils.AveragedModel(torch.nn.DataParallel(Tower()))
    report = accelerate(model)
    assert [entry.name for entry in report.replaced] == ["module.module.layer", "module.module.cell"]
    model.update_parameters(torch.nn.DataParallel(Tower()))
    model(batch())
