"""One module per library, named as the library: how it runs a workload. Imported in that library's worker only.

Each module has `version()`, `refuses(workload)` (why it cannot serve, or None) and `build(problem, threads)`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol, cast

import numpy as np

from fastlstm.bench.workload import Problem, Workload

NAMES = ("fastlstm", "torch", "onnxruntime", "openvino", "jax")
OF_OWN_CELLS = ("fastlstm", "torch", "torch_compiled", "jax")
"""Who runs a user's cell: torch in a loop over time, and with its step compiled; JAX in a scan."""

THROUGH = {"torch": "fastlstm_torch"}
"""Other ways to use this library, measured in its place; the module of this package for each."""

OF_WEIGHTS = {"int8": ("fastlstm", "torch", "onnxruntime"), "float16": ("fastlstm",)}
"""Who has layers with weights of fewer bits, by what these are; torch and ONNX Runtime by their quantize_dynamic."""

NEEDS = {
    "fastlstm_torch": ("torch",),
    "torch_compiled": ("torch",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
}
"""What must be installed beside the library of that name: the model is written with onnx."""


@dataclass(frozen=True)
class Task:
    """A workload made ready in one library.

    `call` is what is timed. `results` runs it once more and gives output, h_n, c_n, and after training grad_x and
    grad_<parameter>; of a packed batch, output and grad_x hold one row per token. Of a whole model, whose parameters
    every call changes, it gives loss, grad_embedding, grad_weight, grad_bias and the layers' grad_<parameter> for the
    parameters given.
    """

    call: Callable[[], object]
    results: Callable[[], dict[str, np.ndarray]]


class Library(Protocol):
    """What each module of this package offers."""

    def version(self) -> str: ...

    def refuses(self, workload: Workload) -> str | None: ...

    def build(self, problem: Problem, threads: int) -> Task: ...


def missing(name: str) -> list[str]:
    """What would have to be installed to measure this library."""
    return [module for module in NEEDS.get(name, (name,)) if find_spec(module) is None]


def library(name: str) -> Library:
    """The module of this package that runs workloads in the library `name`."""
    return cast(Library, importlib.import_module(f"fastlstm.bench.libraries.{name}"))
