"""The engine with products of other weights: splits, threads, steps and cells are those of `fastlstm.engine`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer

from ..engine.engine import Engine
from ..engine.layout import Layout
from ..engine.pool import POOL, Threads
from ..engine.weights import PACKING, Weights
from ..spec import Stack
from ..spec.narrow import of_parameter, of_state
from .weights import Panels


def kernels(config: Layer, weights: str) -> dict[str, str]:
    """The kernels that forward calls, by a job's slot. Those of users' cells take the functions that the cell names."""
    if weights == "float16":
        return {"multiply": "multiply_halves", "multiply_state": "multiply_halves", "advance": "advance"}
    return {
        "multiply": of_parameter("weight_ih").kernel,
        "multiply_state": of_state(config).kernel,
        "advance": "advance" if isinstance(config, Stack) else "advance_coarse",
    }


class NarrowEngine(Engine):
    """Forward without training, in float32 but for the products. weights: "int8" or "float16"."""

    def __init__(self, config: Layer, weights: str, pool: Threads = POOL) -> None:
        self.weights = weights
        self.kernels = kernels(config, weights)
        super().__init__(config, np.float32, pool)

    def _weights_of(self, layout: Layout) -> Weights:
        return Panels(layout, self.weights)

    def _pack(self, kernel: str, parameters: Mapping[str, np.ndarray], version: Any, threads: int) -> None:
        weights = self._weights
        assert isinstance(weights, Panels)
        with PACKING.lock:
            if weights.stale(kernel, version):
                weights.mark_packed(kernel, None)
                weights.fill(parameters)
                weights.mark_packed(kernel, version)
