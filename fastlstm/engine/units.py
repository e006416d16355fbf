"""Unit parameters of a user's cell: brought into padded rows that the kernels read, and their gradients brought back.

Those of a diagonal recurrent product are among them (`spec/plain.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastlstm.engine.layout import Layout
from fastlstm.kernels.job import SLOTS
from fastlstm.spec import Stack
from fastlstm.spec.plain import BIAS, WEIGHT

_SLOTS = {"pack": "units", "pack_transposed": "units_back"}


class Units:
    """Rows (pieces, UNITS, section), zeros behind H: a copy for forward, one for backward, as the panels of weights."""

    def __init__(self, layout: Layout, blocks: np.ndarray) -> None:
        """blocks: a job block for each piece, which are told where the rows are."""
        self._layout, config = layout, layout.config
        self.names = config.cell.unit if isinstance(config, Stack) else ()
        shape = (len(blocks), max(len(self.names), 1), layout.section)
        self._rows = {kernel: np.zeros(shape, layout.dtype) for kernel in _SLOTS}
        for kernel, rows in self._rows.items():
            blocks[:, SLOTS[_SLOTS[kernel]]] = rows.ctypes.data + np.arange(len(blocks)) * rows[0].nbytes

    def fill(self, kernel: str, parameters: Mapping[str, np.ndarray]) -> None:
        """Write the parameters into the rows that are read after this packing kernel."""
        config, rows = self._layout.config, self._rows[kernel]
        H, gates = self._layout.H, config.gates
        for row, piece in zip(rows, self._layout.pieces(), strict=True):
            for number, name in enumerate(self.names):
                source, dot, gate = name.partition(".")
                value = parameters.get(source + piece.suffix)
                if value is not None:
                    whole = value.reshape(len(gates), -1)[gates.index(gate)] if dot else value
                    row[number, :H] = whole[piece.head * H : (piece.head + 1) * H]

    def gradients(self, d_units: np.ndarray, tasks: int) -> dict[str, np.ndarray]:
        """By parameter: the sums over the tasks. d_units: (L*tasks, UNITS, section), slice by slice of the batch, of
        each the pieces.
        """
        layout, config, found = self._layout, self._layout.config, dict[str, np.ndarray]()
        H, count = layout.H, config.directions * layout.heads
        for layer, direction, suffix in config.parts():
            of_layer = d_units[layer * tasks : (layer + 1) * tasks]
            heads = range(direction * layout.heads, (direction + 1) * layout.heads)
            total = np.concatenate([of_layer[number::count].sum(axis=0)[:, :H] for number in heads], axis=1)
            of_unit = dict(zip(self.names, total, strict=False))
            for name in self.names:
                if "." not in name:
                    found[name + suffix] = of_unit[name].copy()
            for prefix in (WEIGHT, BIAS):
                if prefix + config.gates[0] in of_unit:
                    found[prefix[:-1] + suffix] = np.concatenate([of_unit[prefix + gate] for gate in config.gates])
        return found
