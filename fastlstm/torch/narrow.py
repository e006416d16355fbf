"""Modules whose weights are rounded where nobody wants a gradient: `accelerate(model, weights="int8")`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from fastlstm_lint.contract import Layer
from torch import Tensor

from fastlstm.engine.pool import POOL
from fastlstm.quantized.engine import NarrowEngine
from fastlstm.quantized.numbers import Unroundable, rounded
from fastlstm.torch.runner import Runner
from fastlstm.torch.serve import wants_gradient


class _Rounding(NarrowEngine):
    """Takes parameters in float32, and rounds them when they are packed."""

    def _pack(self, kernel: str, parameters: Mapping[str, np.ndarray], version: Any, threads: int) -> None:
        super()._pack(kernel, rounded(parameters, self.weights), version, threads)


class Narrow:
    """What a module has whose weights are to be rounded. Copies start empty.

    weights: "int8" or "float16". full: how many calls were computed in float32 all the same, by the reason why.
    """

    def __init__(self, weights: str) -> None:
        self.weights = weights
        self.calls = 0
        self.full: dict[str, int] = {}
        self._runner: Runner | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Narrow, (self.weights,)

    def serve(
        self, training: bool, config: Layer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor],
        batch_sizes: Tensor | None, reset: Tensor | None, all_states: bool,
    ) -> tuple[Tensor, tuple[Tensor, ...]] | None:  # fmt: skip
        """What `module.call` returns; None where the call is one for float32."""
        reason = "the module is in training mode" if training else None
        if reason is None and wants_gradient((x, *states, *weights)):
            reason = "a gradient is wanted: call it under torch.no_grad()"
        if reason is None and x.dtype is not torch.float32:
            reason = f"the tensors are {x.dtype}"
        if reason is None:
            runner = self._runner
            if runner is None or runner.config != config:
                runner = self._runner = Runner(config, x.dtype)
                runner.engine = _Rounding(config, self.weights, POOL)
            more = {"all_states": True} if all_states else {}
            try:
                found = runner.forward(x, states, weights, batch_sizes, reset, (), **more)[:2]
            except Unroundable as error:
                reason = str(error)
            else:
                self.calls += 1
                return found
        self.full[reason] = self.full.get(reason, 0) + 1
        return None

    def told(self) -> list[str]:
        """For a report: how many calls were computed in float32, by the reason."""
        return [f"{count} calls in float32: {reason}" for reason, count in self.full.items()]
