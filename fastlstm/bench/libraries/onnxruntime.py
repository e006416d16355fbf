"""ONNX Runtime, CPU provider."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

from fastlstm.bench.libraries import Task
from fastlstm.bench.onnx_model import feeds, model, named
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Problem, Workload


def version() -> str:
    return str(onnxruntime.__version__)


def refuses(workload: Workload) -> str | None:
    if is_own(workload.cell):
        return "LSTM, GRU and RNN only"
    if workload.weights and workload.cell != "LSTM":
        return "its quantize_dynamic has LSTM only"
    return "inference only" if workload.training else "whole layers only" if workload.of_cells else None


def _rounded(given: bytes) -> bytes:
    """The model after quantize_dynamic, as it is by default but for a scale for each row."""
    from onnxruntime.quantization import quantize_dynamic

    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(given)
        quantize_dynamic(before, after, per_channel=True)
        return after.read_bytes()


def build(problem: Problem, threads: int) -> Task:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    given = _rounded(model(problem)) if problem.workload.weights else model(problem)
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    inputs = feeds(problem)

    def call() -> list[np.ndarray]:
        return session.run(None, inputs)

    return Task(call, lambda: named(call()))
