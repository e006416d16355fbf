"""Memory for the gradients of a stack's parameters, where the kernels are told to write them."""

from __future__ import annotations

from math import prod

import numpy as np
from fastlstm_lint.contract import Layer, sizes

from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import Plan
from fastlstm.kernels.job import SLOTS

_SLOTS = {"weight_ih": "grad_w_ih", "weight_hh": "grad_w_hh", "weight_hr": "grad_w_hr", "bias_ih": "grad_b_ih",
          "bias_hh": "grad_b_hh"}  # fmt: skip
_ALIGNED = 16  # elements


class Gradients:
    """Where each parameter's gradient stands in one piece of memory: an address taken for each would cost 2 us."""

    def __init__(self, config: Layer, layout: Layout) -> None:
        """config: of the layer; that of the layout has unit parameters in place of a diagonal product."""
        self._pieces: list[tuple[str, int, int, tuple[int, ...]]] = []
        self._size, starts = 0, dict[str, int]()
        for name, axes in config.parameters().items():
            shape = sizes(axes)
            starts[name] = self._size
            self._pieces.append((name, self._size, self._size + prod(shape), shape))
            self._size += -(-prod(shape) // _ALIGNED) * _ALIGNED
        told = [
            (piece.layer, piece.number, SLOTS[slot], starts[name + piece.suffix] + layout.first(name, piece))
            for piece in layout.pieces()
            for name, slot in _SLOTS.items()
            if name + piece.suffix in starts
        ]
        self._layers, self._numbers, self._slots, starts_told = np.array(told, np.int64).reshape(-1, 4).T
        self.starts = np.ascontiguousarray(starts_told)
        """At which number of the memory the piece begins whose address each of `places` is to hold."""
        self._places: dict[int, np.ndarray] = {}

    def memory(self, dtype: np.dtype) -> np.ndarray:
        """New memory for all of them."""
        return np.empty(self._size, dtype)

    def places(self, plan: Plan) -> np.ndarray:
        """Which words hold addresses, counted through all job blocks: those of each piece's first task."""
        places = self._places.get(plan.tasks)
        if places is None:
            rows = self._layers * plan.tasks + self._numbers
            places = self._places[plan.tasks] = rows * plan.blocks.shape[1] + self._slots
        return places

    def of(self, memory: np.ndarray) -> dict[str, np.ndarray]:
        """The array of each parameter in that memory."""
        return {name: memory[first:last].reshape(shape) for name, first, last, shape in self._pieces}
