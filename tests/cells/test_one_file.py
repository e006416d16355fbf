"""A new cell is one file: nothing else of the library is touched for it, and everything works."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import fastlstm
import fastlstm.torch
from fastlstm.bench.own_cell import find
from fastlstm.cli import main

FILE = '''
"""A leaky unit whose leak is learned."""

import fastlstm


@fastlstm.cell(gates="a", states="h v", unit="leak", step="drive")
def leaky(m, gate, state, unit, step):
    k = m.sigmoid(unit.leak)
    v = k * state.v + (1 - k) * m.tanh(gate.a + step.drive)
    return m.softplus(v), v
'''

T, B, I, H = 5, 3, 4, 7


def test_a_cell_in_a_module_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one_new_cell.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "one_new_cell", raising=False)
    cell = import_module("one_new_cell").leaky
    assert find("one_new_cell:leaky") is cell

    torch.manual_seed(0)
    module = fastlstm.torch.Recurrent(cell, I, H)
    x, drive = torch.randn(T, B, I, requires_grad=True), torch.randn(T, B, 1, requires_grad=True)
    leaves = [x, drive, *module.parameters()]
    output, (h_n, v_n) = module(x, step={"drive": drive})
    found = torch.autograd.grad(output.square().sum() + v_n.sum(), leaves)

    w_ih, w_hh, b_ih, b_hh, leak = module.parameters()
    h = v = torch.zeros(B, H)
    k, due = leak.sigmoid(), []
    for row, push in zip(x, drive, strict=True):
        v = k * v + (1 - k) * (row @ w_ih.T + b_ih + h @ w_hh.T + b_hh + push).tanh()
        h = torch.nn.functional.softplus(v)
        due.append(h)
    torch.testing.assert_close(output, torch.stack(due), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(h_n[0], h, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(found, torch.autograd.grad(torch.stack(due).square().sum() + v.sum(), leaves), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)

    layer = fastlstm.Recurrent(cell, I, H).eval()
    layer.load_state_dict(module.state_dict())
    on_arrays, _ = layer(x.detach().numpy(), step={"drive": drive.detach().numpy()})
    np.testing.assert_allclose(on_arrays, output.detach(), rtol=1e-5, atol=1e-6)
    done = CliRunner().invoke(main, ["warmup", "--cell", "one_new_cell:leaky", "--dtype", "float32"])
    assert done.exit_code == 0, done.output
    assert "1 layers ready" in done.output
