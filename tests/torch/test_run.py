"""`python -m fastlstm.run`: a program that knows nothing of this library, run with its layers accelerated."""

from __future__ import annotations

import copy
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fastlstm import run

PROGRAM = """
import sys
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class Mine(nn.LSTM):
    pass


def main():
    model = nn.Sequential(nn.LSTM(5, 6))
    gru = nn.GRU(5, 6, batch_first=True)
    for _ in range(3):
        model(torch.randn(7, 3, 5))[0].sum().backward()
    with torch.no_grad():
        gru(pack_padded_sequence(torch.randn(2, 4, 5), [4, 2], batch_first=True))
    nn.RNN(5, 6)
    Mine(5, 6)(torch.randn(7, 3, 5))
    torch.save(model, sys.argv[1])
    print(__name__, sys.argv[1:], type(model[0]).__module__)
    sys.exit(3)


main()
"""


def test_a_program_is_accelerated_and_told_what_it_gained(python: Any, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    done = python("-m", "fastlstm.run", "train.py", "model.pt", "--x", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stdout.split("\n")[0] == "__main__ ['model.pt', '--x'] fastlstm.torch.layers"
    told = [line for line in done.stderr.splitlines() if line.startswith("fastlstm: ")]
    assert [line.split("; ")[0] for line in told] == [
        "fastlstm: train.py:13  LSTM  3 calls",
        "fastlstm: train.py:14  GRU  1 calls",
    ]
    assert "one, forward and backward: torch " in told[0]
    assert "one, forward: torch " in told[1]
    # What was saved needs no fastlstm.
    load = "import sys, torch; m = torch.load('model.pt', weights_only=False); "
    code = load + "print(type(m[0]).__module__, 'fastlstm' in sys.modules)"
    assert python("-c", code, cwd=tmp_path).stdout.split() == ["torch.nn.modules.rnn", "False"]


def test_torch_is_left_as_it_was() -> None:
    before = {cls: (vars(cls)["__init__"], "__call__" in vars(ours)) for cls, ours in run.OURS.items()}
    with run.watched() as found:
        layer = nn.LSTM(5, 6)
        assert vars(nn.LSTM)["__init__"] is not before[nn.LSTM][0]
    assert [(place.layers, place.calls) for place in found.places.values()] == [(1, 0)]
    assert type(layer) is run.OURS[nn.LSTM]
    assert {cls: (vars(cls)["__init__"], "__call__" in vars(ours)) for cls, ours in run.OURS.items()} == before
    assert type(nn.LSTM(5, 6)) is nn.LSTM


@pytest.mark.filterwarnings("ignore:fastlstm. torch's own operators")
def test_layers_that_a_program_drops_are_dropped_and_their_calls_stay_counted() -> None:
    alive: list[weakref.ref[nn.Module]] = []
    with run.watched() as found:
        for size in range(1, 6):
            layer = nn.RNN(5, size, nonlinearity="relu", bias=size % 2 == 0)
            layer.double()(torch.zeros(2, 3, 5, dtype=torch.float64))
            layer.to(torch.bfloat16)(torch.zeros(2, 3, 5, dtype=torch.bfloat16))
            alive.append(weakref.ref(layer))
        copied = copy.deepcopy(layer)
        copied(torch.zeros(2, 3, 5, dtype=torch.bfloat16))
        copied = copied.float()
        del layer
        gc.collect()
        assert [each() for each in alive] == [None] * 5
    of_copy, made = sorted(run.told(found), key=lambda line: "copy" not in line)
    assert "test_run.py:" in made
    assert "  RNN  5 layers  10 calls, 5 by torch's own: " in made
    assert "; one, forward and backward: torch " in made
    assert "a copy  RNN  1 calls, 1 by torch's own: " in of_copy


def test_a_call_without_a_program_is_misuse(python: Any) -> None:
    done = python("-m", "fastlstm.run")
    assert done.returncode == 1
    assert "usage: python -m fastlstm.run" in done.stderr
