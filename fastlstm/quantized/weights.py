"""Panels of rounded weights: packed by NumPy, once in the life of a layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy import ndarray

from ..engine.layout import Layout
from ..engine.weights import Weights
from ..kernels.job import SLOTS
from ..spec.narrow import DEPTH, Rounding, of_parameter

_PARAMETERS = {"wx": "weight_ih", "wh": "weight_hh", "wr": "weight_hr"}


class Panels(Weights):
    """The panels of all layers and directions, for forward only. `fastlstm/kernels/product8.py` says what one holds."""

    transposed = False

    def __init__(self, layout: Layout, weights: str) -> None:
        self._weights = weights
        if weights == "int8":  # rounding h again for some units costs more than gates from the second-level cache
            self.pace, self.step_bytes = 1.6, 128 * 1024
        super().__init__(layout)

    def itemsize(self, slot: str) -> int:
        if self._weights == "float16":
            return 2
        return 4 // of_parameter(_PARAMETERS[slot]).together

    def panel(self, slot: str, depth: int) -> int:
        """Distance of two panels in float32 numbers."""
        W = self._width
        if self._weights == "float16":
            return W + W * depth // 2
        return W * (2 + -(-depth // DEPTH) + -(-depth // of_parameter(_PARAMETERS[slot]).together))

    @property
    def _width(self) -> int:
        return self._layout.W

    def fill(self, parameters: Mapping[str, ndarray]) -> None:
        """Write the parameters, as `numbers.rounded` makes them, into the panels."""
        layout = self._layout
        self.units.fill("pack", parameters)
        orders = {"wx": _gate_rows(layout), "wh": _recurrent_rows(layout)}
        for block, (_, _, suffix) in zip(self.blocks, layout.config.parts(), strict=True):
            bias = {name: parameters.get(f"bias_{name}{suffix}", np.zeros(1, np.float32)) for name in ("ih", "hh")}
            if layout.trait("SPLITS_GATES"):
                biases = {"wx": bias["ih"], "wh": bias["hh"]}
            else:
                biases = {"wx": bias["ih"] + bias["hh"], "wh": np.zeros(1, np.float32)}
            for slot in ("wx", "wh"):
                target = self._panels(block, slot, layout.gate_rows // layout.W)
                target[:, : layout.W] = _rows(biases[slot], orders[slot]).reshape(target.shape[0], layout.W)
                self._fill(target, parameters, _PARAMETERS[slot], suffix, orders[slot])
            if layout.config.projected:
                P = layout.config.output_size
                count = layout.panels(P)
                order_of_h = np.where(np.arange(count * layout.W) < P, np.arange(count * layout.W), -1)
                self._fill(self._panels(block, "wr", count), parameters, _PARAMETERS["wr"], suffix, order_of_h)

    def _panels(self, block: ndarray, slot: str, count: int) -> ndarray:
        """The panels of a weight as float32 numbers, (count, distance)."""
        distance = int(block[SLOTS[f"{slot}_panel"]])
        first = int(block[SLOTS[slot]]) - self._owner.ctypes.data
        return self._owner[first : first + 4 * count * distance].view(np.float32).reshape(count, distance)

    def _fill(self, target: ndarray, parameters: Mapping[str, ndarray], name: str, suffix: str, order: ndarray) -> None:
        if name + suffix not in parameters:  # of a cell whose input holds the gates
            return
        W, count = self._width, len(target)
        matrix = _rows(parameters[name + suffix], order)
        if self._weights == "float16":
            columns = matrix.reshape(count, W, -1).swapaxes(1, 2)
            target[:, W:].view(np.float16)[...] = columns.reshape(count, -1)
            return
        target[:, W : 2 * W] = _rows(parameters[f"{name}{suffix}_scale"], order).reshape(count, W)
        _fill_integers(target[:, 2 * W :], matrix.reshape(count, W, -1), of_parameter(name))


def _fill_integers(target: ndarray, matrix: ndarray, rounding: Rounding) -> None:
    """Block of columns by block: what their sums begin with, then those columns of each unit that come together.

    matrix: (panels, W, K).
    """
    count, W, K = matrix.shape
    place, columns = 0, rounding.together
    for first in range(0, K, DEPTH):
        part = matrix[:, :, first : first + DEPTH]
        groups = -(-part.shape[2] // columns)
        padded = np.zeros((count, W, columns * groups), matrix.dtype)
        padded[:, :, : part.shape[2]] = part
        # The kernel adds values + 1 to every value, so that there is none below 0.
        begin = part.sum(axis=2, dtype=np.int32) * -(rounding.values + 1) if rounding.in_bytes else 0
        target[:, place : place + W].view(np.int32)[...] = begin
        together = padded.reshape(count, W, groups, columns).swapaxes(1, 2).reshape(count, -1)
        target[:, place + W : place + W * (1 + groups)].view(matrix.dtype)[...] = together
        place += W * (1 + groups)


def _gate_rows(layout: Layout) -> ndarray:
    """torch's row of each padded gate row, -1 for padding: block of units, gate, unit of the block."""
    r, lanes, G, H = np.arange(layout.gate_rows), layout.lanes, layout.gates, layout.config.hidden_size
    unit = r // (G * lanes) * lanes + r % lanes
    return np.where(unit < H, r // lanes % G * H + unit, -1)


def _recurrent_rows(layout: Layout) -> ndarray:
    """The same for the rows of u: of the gates that meet one value in a step together, value by value."""
    if len(layout.together) == 1:
        return _gate_rows(layout)
    H, lanes, blocks = layout.config.hidden_size, layout.lanes, layout.blocks
    of_gate = [layout.trait("VALUES") >> 4 * gate & 15 for gate in range(layout.gates)]
    found = []
    for value in range(len(layout.together)):
        gates = np.flatnonzero(np.array(of_gate) == value)
        block, gate, lane = np.meshgrid(np.arange(blocks), gates, np.arange(lanes), indexing="ij")
        unit = block * lanes + lane
        found.append(np.where(unit < H, gate * H + unit, -1).reshape(-1))
    return np.concatenate(found)


def _rows(array: ndarray, order: ndarray) -> ndarray:
    """The rows in this order, zeros where it is -1; an array of one row stands for all."""
    if len(array) == 1 < order.max() + 1:
        array = np.broadcast_to(array, (int(order.max()) + 1, *array.shape[1:]))
    taken = array[order]
    taken[order < 0] = 0
    return taken
