"""`compare` on the user's own call, what the report tells of calls, and names under a profiler."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

import fastlstm.torch

AUTOCAST = "autocast is on, and the kernels compute in float32 and float64 only"


class Tagger(torch.nn.Module):
    """Dropout, a running mean and a layer that is not ours to replace."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.encoder = torch.nn.LSTM(3, 4, 2, dropout=0.5)
        self.cell = torch.nn.GRUCell(4, 4)
        self.own = Own(4, 4)
        self.unused = torch.nn.RNN(3, 4)

    def forward(self, x: Tensor, *, scale: float = 1.0) -> dict[str, Tensor]:
        output, _ = self.encoder(self.norm(x.mT).mT * scale)
        h = None
        for step in output:
            h = self.cell(step, h)
        return {"h": h, "own": self.own(output)[0]}


class Own(torch.nn.GRU):
    def forward(self, input: Tensor, hx: Any = None) -> Any:
        return super().forward(input, hx)


def test_a_call_is_compared(kernel_calls: list[Any]) -> None:
    torch.manual_seed(0)
    model, x = Tagger(), torch.randn(5, 2, 3, requires_grad=True)
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    found = fastlstm.torch.compare(model, x, scale=0.5)
    assert kernel_calls
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert x.grad is None
    assert all(p.grad is None for p in model.parameters())
    assert type(model.encoder) is torch.nn.LSTM
    for times in (found.ours, found.theirs):
        assert {name: len(rounds) for name, rounds in times.items()} == {"forward": 7, "backward": 7}
    assert 0 < found.output_difference < 1e-5  # both have drawn the same dropout
    assert found.gradient_difference is not None
    assert 0 < found.gradient_difference < 1e-4
    assert found.ratio > 0
    assert [(one.name, one.calls) for one in found.layers] == [("encoder", 8), ("cell", 40), ("own", 8), ("unused", 0)]
    lines = repr(found).splitlines()
    assert lines[1].startswith("forward ")
    assert lines[2].startswith("backward ")
    assert lines[4:] == [
        "encoder  LSTM  ours in 8 of 8 calls",
        "cell  GRUCell  ours in 40 of 40 calls",
        "own  Own  torch's own: Own has a forward of its own: try subclasses=True",
        "unused  RNN  not called",
    ]


@pytest.mark.filterwarnings("ignore:fastlstm")
def test_who_served_and_why() -> None:
    model, x = fastlstm.torch.GRU(3, 4), torch.randn(5, 2, 3)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = fastlstm.torch.compare(model, x)
    assert "backward" not in found.ours
    assert found.gradient_difference is None
    assert repr(found).splitlines()[-1] == (f"(the model)  GRU  ours in 0 of 8 calls; torch's own in 8: {AUTOCAST}")
    with pytest.raises(TypeError, match=r"model is a list, expected torch.nn.Module"):
        fastlstm.torch.compare([])  # type: ignore[arg-type]


def test_a_wrong_result_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastlstm.torch.GRU, "forward", lambda self, x, *_: (x * torch.nan, x[:1]))
    assert fastlstm.torch.compare(torch.nn.GRU(3, 3), torch.randn(5, 2, 3)).output_difference == float("inf")


@pytest.mark.filterwarnings("ignore:fastlstm")
def test_the_report_counts_what_torch_computed() -> None:
    model = torch.nn.ModuleDict({"a": torch.nn.GRU(3, 4), "b": torch.nn.GRUCell(3, 4), "c": torch.nn.RNN(3, 4)})
    report = fastlstm.torch.accelerate(model)
    x = torch.randn(5, 2, 3)
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            model["a"](x)
            model["b"](x[0])
    model["a"](x)
    why = f"2 calls by torch's own: {AUTOCAST}"
    assert str(report).splitlines() == [
        "a  GRU      replaced",
        f"            {why}",
        "b  GRUCell  replaced",
        f"            {why}",
        "c  RNN      replaced",
    ]
    assert repr(report) == str(report)
    assert [(entry.name, entry.reason) for entry in report.inactive()] == [
        ("c", "not called since: was the model built anew?")
    ]
    report.undo()
    assert {entry.reason for entry in report.inactive()} == {"torch's own class again"}


def test_half_precision_is_told() -> None:
    model = torch.nn.Sequential(torch.nn.LSTM(3, 4), torch.nn.GRU(3, 4)).half()
    model[1].float()
    assert str(fastlstm.torch.accelerate(model)).splitlines() == [
        "0  LSTM  replaced; torch's own compute torch.float16",
        "1  GRU   replaced",
    ]


def test_layers_in_a_plain_list_are_told() -> None:
    model = torch.nn.Sequential(torch.nn.Identity())
    model[0].layers = [torch.nn.LSTM(3, 4), 1]
    model[0].by_name = {"x": torch.nn.GRUCell(3, 4)}
    report = fastlstm.torch.accelerate(model)
    assert [(entry.name, entry.kind) for entry in report.kept] == [
        ("0.layers[0]", "LSTM"),
        ("0.by_name['x']", "GRUCell"),
    ]
    assert "in a plain list" in report.kept[0].reason


def test_a_model_that_was_built_anew_is_noticed() -> None:
    report = fastlstm.torch.accelerate(torch.nn.Sequential(torch.nn.LSTM(3, 4)))
    model = torch.nn.Sequential(torch.nn.LSTM(3, 4), fastlstm.torch.GRU(3, 4), Own(3, 4), torch.nn.Linear(1, 1))
    assert [(entry.name, entry.reason) for entry in report.inactive(model)] == [
        ("0", "built anew: call accelerate again"), ("2", "Own has a forward of its own: try subclasses=True"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_a_profiler_sees_a_call_without_a_gradient(name: str) -> None:
    module = getattr(fastlstm.torch, name)(3, 4)
    x = torch.randn(2, 3) if "Cell" in name else torch.randn(5, 2, 3)
    with torch.no_grad(), torch.profiler.profile() as profile:
        module(x)
    assert f"fastlstm::{name}" in {event.key for event in profile.key_averages()}
