"""OpenVINO, CPU plugin, from the same ONNX model, in float32."""

from __future__ import annotations

from typing import Any

import openvino

from fastlstm.bench.libraries import Task
from fastlstm.bench.onnx_model import feeds, model, named
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Problem, Workload


def version() -> str:
    return str(openvino.__version__).split("-")[0]


def refuses(workload: Workload) -> str | None:
    if is_own(workload.cell):
        return "LSTM, GRU and RNN only"
    return "inference only" if workload.training else "whole layers only" if workload.of_cells else None


def build(problem: Problem, threads: int) -> Task:
    core = openvino.Core()
    # f32: where the CPU has bfloat16 the plugin would take that by itself
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(model(problem)), "CPU", options).create_infer_request()
    inputs = feeds(problem)

    def call() -> Any:
        return request.infer(inputs, share_inputs=True, share_outputs=True)

    return Task(call, lambda: named([value.copy() for value in call().values()]))
