"""ONNX Runtime, CPU provider."""

from __future__ import annotations

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
    return "inference only" if workload.training else "whole layers only" if workload.of_cells else None


def build(problem: Problem, threads: int) -> Task:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model(problem), options, providers=["CPUExecutionProvider"])
    inputs = feeds(problem)

    def call() -> list[np.ndarray]:
        return session.run(None, inputs)

    return Task(call, lambda: named(call()))
