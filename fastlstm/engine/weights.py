"""Weights packed in panels, once for each version of the parameters."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastlstm.engine.layout import Layout, Memory
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
    "counts": "COUNTS",
    "passes_state": "PASSES_STATE",
    "across": "ACROSS",
    "others": "OTHERS",
}


class Weights:
    """The panels of all pieces of a stack. `blocks` has a row for each, ready for the packing kernels."""

    transposed = True
    """Whether there are the panels that backward reads."""

    pace = 1.0
    """How many multiply-adds take the time of one in floating point."""

    step_bytes = 16 * 1024
    """Gates that go at once from a step's product to its cell: half of the smallest first-level cache."""

    def __init__(self, layout: Layout) -> None:
        config = layout.config
        self._layout = layout
        self._pieces = layout.pieces()
        self.blocks = blank(len(self._pieces))
        self.version: Any = None  # of the panels that forward reads
        self.transposed_version: Any = None  # of those that backward reads
        memory = Memory(layout.dtype)
        H, P = layout.H, layout.P
        for block, piece in zip(self.blocks, self._pieces, strict=True):
            I = layout.inputs(piece.layer)
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
                    "wl": layout.gates * H * layout.sample_row(I),
                }
            plain = {"I": I, "H": H, "P": P, "blocks": layout.blocks, "bias": int(config.bias), "projected": projected}
            plain |= {"gate_step": config.hidden_size, "wl_ld": self.transposed * layout.sample_row(I)}
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
        """Of one piece, read in each of its steps."""
        return self._layout.gate_rows * self._layout.P * self.itemsize("wh")

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
        dtype = self._layout.dtype
        kept = {name: np.ascontiguousarray(value, dtype=dtype) for name, value in parameters.items()}
        self.units.fill(kernel, parameters)
        for block, piece in zip(self.blocks, self._pieces, strict=True):
            for slot, name in _NAMES.items():
                array = kept.get(name + piece.suffix)
                if array is not None:
                    block[SLOTS[slot]] = array.ctypes.data + self._layout.first(name, piece) * dtype.itemsize
        return list(kept.values())

    def mark_packed(self, kernel: str, version: Any) -> None:
        """Remember what the panels hold now: None while they are being written."""
        if kernel == "pack":
            self.version = version
        else:
            self.transposed_version = version
