"""`fastlstm warmup`: what it compiled, later processes find."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fastlstm.cli import main
from fastlstm.cli.warmup import _layers

FIRST_CALLS = """
import numpy as np
import torch
import fastlstm
import fastlstm.torch

rnn = fastlstm.RNN(3, 120, 2)
for B in (2, 200):
    output, _ = rnn(np.ones((40, B, 3), np.float32))
    rnn.backward(output)
    fastlstm.quantize(rnn)(np.ones((40, B, 3), np.float32))
module = fastlstm.torch.RNN(3, 120)
for B in (2, 200):
    module(torch.ones(40, B, 3))[0].sum().backward()
with torch.no_grad():
    module(torch.ones(1, 2, 3))
    module(torch.ones(1, 20, 3))
import sys
print("numba" in sys.modules)
"""


@pytest.mark.slow
def test_nothing_is_compiled_after_it(python: Any, tmp_path: Path) -> None:
    into = tmp_path / "image"
    done = python(
        "-m", "fastlstm", "warmup", "--cell", "RNN", "--dtype", "float32", "--weights", "int8", "--into", str(into)
    )
    assert done.returncode == 0, done.stderr
    assert "2 layers ready" in done.stdout
    before = {path: path.stat().st_mtime_ns for path in into.iterdir()}
    environment = os.environ | dict.fromkeys(("HOME", "XDG_CACHE_HOME"), str(tmp_path)) | {"FASTLSTM_CACHE": str(into)}
    done = python("-W", "error", "-c", FIRST_CALLS, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "False\n"
    assert {path: path.stat().st_mtime_ns for path in into.iterdir()} == before
    shown = python("-m", "fastlstm", "info", env=environment)
    assert f"{into}\n" in shown.stdout
    assert f"{len(before)} files for this version and machine, 0 for others" in shown.stdout


def test_a_folder_that_cannot_be_filled_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(main, ["warmup", "--cell", "RNN", "--into", str(tmp_path / "file" / "inside")])
    assert done.exit_code == 1
    assert f"Error: {tmp_path}" in done.output


def test_a_cell_of_one_s_own_is_found_or_the_reason_said() -> None:
    (layer,) = _layers("fastlstm.cells:sLSTM", "float64")
    assert repr(layer) == "Recurrent(sLSTM, 4, 4, num_heads=2)"
    done = CliRunner().invoke(main, ["warmup", "--cell", "fastlstm.cells:Nothing"])
    assert done.exit_code == 2
    assert "Nothing" in done.output
