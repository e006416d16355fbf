"""Weights packed in panels, once for each version of the parameters."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastlstm.engine.layout import Layout, Memory, parts
from fastlstm.engine.units import Units
from fastlstm.kernels.job import SLOTS, blank


class _Packing:
    """One lock for all weights: one thread packs at a time.

    Re-entrant, since the cycle collector may run a caller's finaliser inside, and with it a call. New in a forked
    child, where the thread that held it is gone, and its panels are marked as unfinished.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()


PACKING = _Packing()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PACKING.__init__)  # type: ignore[misc]

_NAMES = {"w_ih": "weight_ih", "w_hh": "weight_hh", "w_hr": "weight_hr", "b_ih": "bias_ih", "b_hh": "bias_hh"}

_TRAITS = {
    "gates": "GATES",
    "splits_gates": "SPLITS_GATES",
    "multiplies_input": "INPUTS",
    "recurs": "RECURS",
    "multiplies_state": "MULTIPLIES_STATE",
    "returns_state": "RETURNS_STATE",
    "stages": "STAGES",
    "values": "VALUES",
    "passes_state": "PASSES_STATE",
    "across": "ACROSS",
    "others": "OTHERS",
}


class Weights:
    """The panels of all layers and directions. `blocks` has a row for each, ready for the packing kernels."""

    transposed = True
    """Whether there are the panels that backward reads."""

    pace = 1.0
    """How many multiply-adds take the time of one in floating point."""

    step_bytes = 16 * 1024
    """Gates that go at once from a step's product to its cell: half of the smallest first-level cache."""

    def __init__(self, layout: Layout) -> None:
        config = layout.config
        self._layout = layout
        self.blocks = blank(len(parts(config)))
        self.version: Any = None  # of the panels that forward reads
        self.transposed_version: Any = None  # of those that backward reads
        memory = Memory(layout.dtype)
        for block, (layer, _, _) in zip(self.blocks, parts(config), strict=True):
            I, H, P = config.layer_input_size(layer), config.hidden_size, config.output_size
            projected = int(config.projected)
            panel = {slot: self.panel(slot, depth) for slot, depth in (("wx", I), ("wh", P), ("wr", H))}
            sizes = {
                "wx": layout.gate_rows // layout.W * panel["wx"],
                "wh": layout.gate_rows // layout.W * panel["wh"],
                "wr": projected * layout.panels(P) * panel["wr"],
            }
            if self.transposed:
                sizes |= {
                    "wx_t": layout.panels(I) * layout.W * (1 + layout.gate_rows),
                    "wh_t": layout.panels(P) * layout.W * (1 + layout.gate_rows),
                    "wr_t": projected * layout.panels(H) * layout.W * (1 + P),
                }
            plain = {"I": I, "H": H, "P": P, "blocks": layout.blocks, "bias": int(config.bias), "projected": projected}
            plain |= {slot: layout.trait(trait) for slot, trait in _TRAITS.items()}
            plain |= {f"{name}_panel": size for name, size in panel.items()}
            for name, value in plain.items():
                block[SLOTS[name]] = value
            for name, size in sizes.items():
                block[SLOTS[name]] = memory.add(size)
        self._owner, base = memory.allocate()
        for name in sizes:
            self.blocks[:, SLOTS[name]] += base
        self.units = Units(layout, self.blocks)

    @property
    def recurrent_bytes(self) -> int:
        """Of one layer and direction, read in each of its steps."""
        return self._layout.gate_rows * self._layout.config.output_size * self.itemsize("wh")

    def itemsize(self, slot: str) -> int:
        """Bytes of one of the weights that stand in a slot."""
        return self._layout.dtype.itemsize

    def panel(self, slot: str, depth: int) -> int:
        """Distance of two panels of so many columns each, in elements: a bias, then what the product reads."""
        return self._layout.W * (1 + depth)

    def stale(self, kernel: str, version: Any) -> bool:
        """Whether the panels of `pack` or `pack_transposed` are of another version."""
        return version != (self.version if kernel == "pack" else self.transposed_version)

    def point_to(self, kernel: str, parameters: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Write the parameters' addresses into the blocks, for the packing kernel of this name; returns what must live
        until they are packed. Unit parameters are packed here and now.
        """
        kept = []
        self.units.fill(kernel, parameters)
        for block, (_, _, suffix) in zip(self.blocks, parts(self._layout.config), strict=True):
            for slot, name in _NAMES.items():
                if name + suffix in parameters:
                    array = np.ascontiguousarray(parameters[name + suffix], dtype=self._layout.dtype)
                    kept.append(array)
                    block[SLOTS[slot]] = array.ctypes.data
        return kept

    def mark_packed(self, kernel: str, version: Any) -> None:
        """Remember what the panels hold now: None while they are being written."""
        if kernel == "pack":
            self.version = version
        else:
            self.transposed_version = version
