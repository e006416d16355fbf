"""`fastlstm bench --weights`: rounded layers beside those of the peers, their errors beside the times."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fastlstm.bench.check import verdict
from fastlstm.bench.process import processes
from fastlstm.bench.workload import Workload
from fastlstm.cli import main

INT8 = Workload("small", "LSTM", "infer", T=7, B=3, I=5, H=6, L=2, D=2, weights="int8")


def test_each_library_rounds_its_own_way(tmp_path: Path) -> None:
    truth = str(tmp_path / "truth.npz")
    with processes({name: name for name in ("fastlstm", "torch", "onnxruntime", "jax", "reference")}) as workers:
        workers["reference"].ask("truth", workload=INT8.to_dict(), path=truth)
        for name in ("fastlstm", "torch", "onnxruntime"):
            reply = workers[name].ask("prepare", workload=INT8.to_dict(), threads=1, truth=truth)
            assert max(reply["errors"].values()) > 1e-4, name  # rounded, and yet this layer:
            assert "refused" not in reply
        assert workers["jax"].ask("prepare", workload=INT8.to_dict(), threads=1) == {"refused": "no int8 weights"}


def test_what_is_no_such_layer_is_refused() -> None:
    assert verdict({"output": 0.3}, 0.5) is None
    assert verdict({"output": 0.6}, 0.5) == "wrong output: error 6.0e-01 of its largest value"
    with pytest.raises(ValueError, match="weights 'int8' in mode 'train'"):
        Workload("small", "LSTM", "train", T=7, B=3, I=5, H=6, weights="int8")
    done = CliRunner().invoke(main, ["bench", "--weights", "int8", "word-lm"])
    assert done.exit_code == 2
    assert "--weights is for rows in mode infer" in done.output


def test_errors_are_shown() -> None:
    options = "--steps 5 --input 5 --hidden 6 --weights int8 --rounds 1 --seconds 0 --no-start-up --library fastlstm"
    done = CliRunner().invoke(main, ["bench", *options.split()])
    assert done.exit_code == 0, done.output
    assert "Largest errors against float64" in done.output
    assert "LSTM 5,1,5,6 int8" in done.output
