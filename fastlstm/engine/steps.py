"""Step inputs of a user's cell: brought into padded rows that the kernels read, and their gradients brought back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import Plan
from fastlstm.kernels.job import SLOTS

Arrays = Mapping[str, np.ndarray]
_OFFSET, _DIRECTION = SLOTS["reset_offset"], SLOTS["direction"]


class StepInputs:
    """Rows (T, B, heads, STEPS, section), packed without T, or without T where all are one for all steps.

    given: by name, in the cell's order, (T, B, H or 1), (B, T, ..) with batch_first, packed (N, ..), or (B, H or 1).
    lead: (T, B), or (N,) packed.
    """

    def __init__(self, layout: Layout, given: Arrays, lead: tuple[int, ...], batch_sizes: np.ndarray | None) -> None:
        self._given, self._batch_sizes = given, batch_sizes
        self._batch_first, self._heads, self._units = layout.config.batch_first, layout.heads, layout.H
        self._each_step = not all(self._is_static(value) for value in given.values())
        B = lead[1] if batch_sizes is None else int(batch_sizes[0])
        shape = (*(lead if self._each_step else (B,)), self._heads, len(given), layout.section)
        self._rows = np.zeros(shape, layout.dtype)
        self._head_width = shape[-2] * shape[-1]
        self._row_width = self._heads * self._head_width
        self._step_width = 0 if not self._each_step else self._row_width * (B if batch_sizes is None else 1)
        self._fill()

    def point(self, plan: Plan) -> None:
        """Write where the rows are into the job blocks."""
        blocks = plan.blocks
        blocks[:, SLOTS["es_step"]], blocks[:, SLOTS["es_batch"]] = self._step_width, self._row_width
        blocks[:, SLOTS["es"]] = self._rows.ctypes.data + self._offsets(plan)

    def point_gradients(self, plan: Plan, directions: int) -> np.ndarray:
        """The rows' gradients, zeros, one set for each direction, since they may run at once; with their addresses
        written into the job blocks.
        """
        gradients, blocks = np.zeros((directions, *self._rows.shape), self._rows.dtype), plan.blocks
        starts = gradients.ctypes.data + blocks[:, _DIRECTION] * self._rows.nbytes
        blocks[:, SLOTS["d_es"]] = starts + self._offsets(plan)
        return gradients

    def gradients(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The gradients of the caller's arrays, from those of the rows, which have one more axis in front."""
        rows = rows.sum(axis=0) if len(rows) > 1 else rows[0]
        found = {}
        for number, (name, value) in enumerate(self._given.items()):
            gradient = rows[..., number, : self._units].reshape(*rows.shape[:-3], -1)
            if value.shape[-1] == 1:
                gradient = gradient.sum(axis=-1, keepdims=True)
            if self._each_step and self._is_static(value):
                gradient = self._over_time(gradient, len(value))
            elif self._each_step and self._batch_first and value.ndim == 3:
                gradient = gradient.swapaxes(0, 1)
            found[name] = np.ascontiguousarray(gradient)
        return found

    def _offsets(self, plan: Plan) -> np.ndarray:
        """In bytes, where each task's samples begin in the rows, and its head."""
        first = plan.blocks[:, _OFFSET] * self._row_width + plan.heads * self._head_width
        return first * self._rows.itemsize

    def _is_static(self, value: np.ndarray) -> bool:
        """(B, H or 1), not one for each step."""
        if self._batch_sizes is None:
            return value.ndim == 2
        return len(value) != int(self._batch_sizes.sum())

    def _fill(self) -> None:
        for number, value in enumerate(self._given.values()):
            target, static = self._rows[..., number, : self._units], self._is_static(value)
            if not static and self._batch_first and value.ndim == 3:
                value = value.swapaxes(0, 1)
            if static and self._each_step and self._batch_sizes is not None:
                value = np.concatenate([value[:n] for n in self._batch_sizes])
            lead = value.shape[:-1]
            target[...] = value.reshape(*lead, self._heads, -1) if value.shape[-1] > 1 else value[..., None]

    def _over_time(self, gradient: np.ndarray, B: int) -> np.ndarray:
        """The sum over all steps, (B, H or 1)."""
        if self._batch_sizes is None:
            return gradient.sum(axis=0)
        total, start = np.zeros((B, gradient.shape[-1]), gradient.dtype), 0
        for n in self._batch_sizes:
            total[:n] += gradient[start : start + n]
            start += n
        return total
