"""torch.export, torch.fx, TorchScript and the older ONNX exporter: torch's own operators, or one node."""

from __future__ import annotations

import io
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor

import fastlstm.torch

I, H = 3, 5
B, T = 3, 6

# torch's own code deprecates itself when it is called.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]


def flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [tensor for part in result for tensor in flat(part)]


def same(mine: list[Tensor], due: list[Tensor]) -> None:
    for one, other in zip(mine, due, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def batch() -> Tensor:
    return torch.randn(T, B, I, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
@pytest.mark.filterwarnings("ignore:The tensor attributes self._flat_weights:UserWarning")
def test_an_exported_program_runs_without_this_library(kind: str, strict: bool, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, 2, dtype=torch.float64)
    program = torch.export.export(ours, (batch(),), strict=strict)
    assert "fastlstm" not in str(program.graph)
    same([*flat(program.module()(batch()))], [*flat(theirs(batch()))])


class Model(torch.nn.Module):
    """A layer, a cell and a head."""

    def __init__(self, namespace: Any) -> None:
        super().__init__()
        self.layer, self.cell, self.head = namespace.LSTM(I, H), namespace.GRUCell(H, H), torch.nn.Linear(H, 2)

    def forward(self, x: Tensor) -> Tensor:
        output, (h, _) = self.layer(x)
        return self.head(self.cell(output[-1], h[0]))  # type: ignore[no-any-return]


def test_fx_has_a_node_for_each_module() -> None:
    graphs = []
    for namespace in (fastlstm.torch, torch.nn):
        model = Model(namespace)
        graph = torch.fx.symbolic_trace(model)
        torch.testing.assert_close(graph(batch().float()), model(batch().float()))
        graphs.append([(node.op, str(node.target)) for node in graph.graph.nodes])
    assert graphs[0] == graphs[1]


def test_fx_keeps_states_and_resets() -> None:
    class Resetting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = fastlstm.torch.LSTM(I, H)

        def forward(self, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
            return self.layer(x, (h, h), reset=reset)[0]  # type: ignore[no-any-return]

    model, args = Resetting(), (batch().float(), torch.randn(1, B, H), torch.rand(T, B) < 0.5)
    assert torch.equal(torch.fx.symbolic_trace(model)(*args), model(*args))


def test_script(twins: Any) -> None:
    """TorchScript compiles torch's own forward; a file of it is loaded without this library."""
    model = Model(fastlstm.torch)
    due = model(batch().float())
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(model), file)
    assert b"fastlstm" not in file.getvalue()
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(batch().float()), due)
    torch.testing.assert_close(model(batch().float()), due)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_trace(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, 2, dtype=torch.float64)
    with pytest.warns(RuntimeWarning, match="torch.jit.trace records torch's operators only"):
        traced = torch.jit.trace(ours, (batch(),))
    same([*flat(traced(batch()))], [*flat(theirs(batch()))])


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:You are using the legacy:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fastlstm. torch's own operators:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.onnx")
def test_the_older_onnx_exporter(tmp_path: Any, twins: Any) -> None:
    ours, theirs = twins("LSTM", I, H, 2)
    path = tmp_path / "model.onnx"
    torch.onnx.export(ours, (batch().float(),), str(path), dynamo=False, input_names=["x"])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output, *_) = session.run(None, {"x": batch().float().numpy()})
    torch.testing.assert_close(torch.from_numpy(output), theirs(batch().float())[0].detach(), rtol=1e-5, atol=1e-5)
