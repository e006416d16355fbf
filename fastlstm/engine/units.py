"""Unit parameters of a user's cell: brought into padded rows that the kernels read, and their gradients brought back.

Those of a diagonal recurrent product are among them (`spec/plain.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastlstm.engine.layout import Layout, parts
from fastlstm.kernels.job import SLOTS
from fastlstm.spec import Stack
from fastlstm.spec.plain import BIAS, WEIGHT

_SLOTS = {"pack": "units", "pack_transposed": "units_back"}


class Units:
    """Rows (L*D, UNITS, section), zeros behind H: one copy for forward, one for backward, as the panels of weights."""

    def __init__(self, layout: Layout, blocks: np.ndarray) -> None:
        """blocks: a job block for each layer and direction, which are told where the rows are."""
        self._layout, config = layout, layout.config
        self.names = config.cell.unit if isinstance(config, Stack) else ()
        shape = (len(blocks), max(len(self.names), 1), layout.section)
        self._rows = {kernel: np.zeros(shape, layout.dtype) for kernel in _SLOTS}
        for kernel, rows in self._rows.items():
            blocks[:, SLOTS[_SLOTS[kernel]]] = rows.ctypes.data + np.arange(len(blocks)) * rows[0].nbytes

    def fill(self, kernel: str, parameters: Mapping[str, np.ndarray]) -> None:
        """Write the parameters into the rows that are read after this packing kernel."""
        config, rows = self._layout.config, self._rows[kernel]
        H, gates = config.hidden_size, config.gates
        for part, (_, _, suffix) in enumerate(parts(config)):
            for number, name in enumerate(self.names):
                source, dot, gate = name.partition(".")
                if source + suffix in parameters:
                    value = parameters[source + suffix]
                    rows[part, number, :H] = value.reshape(len(gates), H)[gates.index(gate)] if dot else value

    def gradients(self, d_units: np.ndarray, tasks: int) -> dict[str, np.ndarray]:
        """By parameter: the sums over the tasks. d_units: (L*tasks, UNITS, section), slice by slice of the batch, of
        each the directions.
        """
        config = self._layout.config
        H, D = config.hidden_size, config.directions
        found = {}
        for layer, direction, suffix in parts(config):
            total = d_units[layer * tasks : (layer + 1) * tasks][direction::D].sum(axis=0)[:, :H]
            of_unit = dict(zip(self.names, total, strict=False))
            for name in self.names:
                if "." not in name:
                    found[name + suffix] = of_unit[name].copy()
            for prefix in (WEIGHT, BIAS):
                if prefix + config.gates[0] in of_unit:
                    found[prefix[:-1] + suffix] = np.concatenate([of_unit[prefix + gate] for gate in config.gates])
        return found
