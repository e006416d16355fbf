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
from fastlstm.spec import Call
from fastlstm.torch.runner import Runner
from fastlstm.torch.serve import wants_gradient

FEW_ROWS = 16
"""Of x: below, a comparison of all weights in float32 takes longer than the call on rounded ones."""


class _Rounding(NarrowEngine):
    """Takes parameters in float32, and rounds them when they are packed."""

    def _pack(self, kernel: str, parameters: Mapping[str, np.ndarray], version: Any, threads: int) -> None:
        super()._pack(kernel, rounded(parameters, self.weights), version, threads)


class _Glancing(Runner):
    """A runner that in short calls believes torch's counts of changes, and looks at no more than some weights.

    What goes past the counts (`weight.data`, a NumPy view, another process) as a rule changes a whole matrix or some
    gates of it, which is seen at once; a single number is when its part is looked at, `memory.PART` bytes in each short
    call, or by the next long call.
    """

    def __init__(self, config: Layer, weights: str) -> None:
        super().__init__(config, torch.float32, _Rounding(config, weights, POOL))
        self._seen: Any = None

    def glance(self, weights: Sequence[Tensor]) -> int:
        """As `version`."""
        if any(weight.is_inference() for weight in weights):  # these are not counted
            return self.version(weights)
        counts = [(weight.data_ptr(), weight._version) for weight in weights]
        seen = self._seen
        if (
            seen is not None
            and seen[0] == counts
            and all(np.array_equal(now, then) for now, then in seen[1])
            and self._snapshot.next_is_same()
        ):
            return int(seen[2])
        version = self.version(weights)
        if all(weight.is_contiguous() for weight in weights):
            samples = [_sample(array) for array in self.parameters.values()]
            self._seen = counts, [(sample, sample.copy()) for sample in samples], version
        return version


def _sample(array: np.ndarray) -> np.ndarray:
    """Bits of 16 numbers at each of 16 places of a matrix; of anything smaller all, as of a bias."""
    bits = array.reshape(-1).view(np.int32)
    if array.ndim < 2 or bits.size <= 256:
        return bits
    apart = bits.size // 16
    return bits[: 16 * apart].reshape(16, apart)[:, :16]


class Narrow:
    """What a module has whose weights are to be rounded. Copies start empty.

    weights: "int8" or "float16". full: how many calls were computed in float32 all the same, by the reason why.
    """

    def __init__(self, weights: str) -> None:
        self.weights = weights
        self.calls = 0
        self.full: dict[str, int] = {}
        self._runner: _Glancing | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Narrow, (self.weights,)

    def serve(
        self, training: bool, config: Layer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor],
        call: Call,
    ) -> tuple[Tensor, tuple[Tensor, ...]] | None:  # fmt: skip
        """What `module.computed` returns; None where the call is one for float32."""
        reason = "the module is in training mode" if training else None
        if reason is None and wants_gradient((x, *states, *weights)):
            reason = "a gradient is wanted: call it under torch.no_grad()"
        if reason is None and x.dtype is not torch.float32:
            reason = f"the tensors are {x.dtype}"
        if reason is None:
            runner = self._runner
            if runner is None or runner.config != config:
                runner = self._runner = _Glancing(config, self.weights)
            short = x.numel() < FEW_ROWS * config.input_size
            try:
                version = runner.glance(weights) if short else runner.version(weights)
                found = runner.forward(x, states, weights, call, version)[:2]
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
