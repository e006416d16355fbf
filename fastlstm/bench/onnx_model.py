"""A workload as an ONNX model: what ONNX Runtime and OpenVINO run."""

from __future__ import annotations

import numpy as np

from fastlstm.bench.workload import Problem
from fastlstm.interop.onnx.graph import build


def feeds(problem: Problem) -> dict[str, np.ndarray]:
    """The model's inputs."""
    return {"x": problem.x, **dict(zip(("h_0", "c_0"), problem.states, strict=False))}


def named(outputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The model's outputs by name, in the order in which it gives them."""
    return dict(zip(("output", "h_n", "c_n"), outputs, strict=False))


def model(problem: Problem) -> bytes:
    """The serialised model, with the sizes fixed."""
    work = problem.workload
    return build(work.layer, problem.parameters, T=work.T, B=work.B).SerializeToString()
