"""Padded widths of one layer stack's arrays on this machine, and memory cut into aligned pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.kernels.cards import card_name, trait_of
from fastlstm.kernels.machine import host
from fastlstm.spec import Stack

LINE_BYTES = 64


def cell_name(config: Layer) -> str:
    """The cell's name for `fastlstm.kernels.cards`."""
    if isinstance(config, Stack):
        return card_name(config.cell)
    return f"RNN_{config.nonlinearity.upper()}" if config.kind == "RNN" else config.kind


def parts(config: Layer) -> list[tuple[int, int, str]]:
    """(layer, direction, suffix of torch's parameter names), in torch's order."""
    return [
        (layer, direction, f"_l{layer}" + ("_reverse" if direction else ""))
        for layer in range(config.num_layers)
        for direction in range(config.directions)
    ]


@dataclass(frozen=True)
class Layout:
    """Widths in elements. lanes: of one vector; W: of one panel; blocks: vectors of units, so many that all gates of
    all blocks fill whole panels."""

    config: Layer
    dtype: np.dtype

    @property
    def gates(self) -> int:
        return self.trait("GATES")

    def trait(self, name: str) -> int:
        """What the cell states about itself (`fastlstm.kernels.cards`)."""
        return trait_of(cell_name(self.config), name)

    @property
    def section(self) -> int:
        """Padded width of one state's units."""
        return self.panels(self.config.hidden_size) * self.W

    @property
    def lanes(self) -> int:
        return host().lanes(self.dtype)

    @property
    def W(self) -> int:
        return host().tile_vectors * self.lanes

    @property
    def blocks(self) -> int:
        blocks = -(-self.config.hidden_size // self.lanes)
        while self.gates * blocks % host().tile_vectors:
            blocks += 1
        return blocks

    @property
    def gate_rows(self) -> int:
        """All gates of all blocks."""
        return self.gates * self.blocks * self.lanes

    def panels(self, width: int) -> int:
        """How many panels `width` columns fill."""
        return -(-width // self.W)

    def row(self, width: int) -> int:
        """Distance of rows of `width` columns: whole panels, never a multiple of 1 KB.

        Rows 1 KB apart share a quarter of the cache's sets and cost a third of the speed of a product.
        """
        padded = self.panels(width) * self.W
        size = self.dtype.itemsize
        return padded + LINE_BYTES // size if padded * size % 1024 == 0 else padded


class Memory:
    """Sizes collected first, one zeroed allocation, then addresses."""

    def __init__(self, dtype: np.dtype) -> None:
        self._size = dtype.itemsize
        self._bytes = 0

    def add(self, elements: int) -> int:
        """Reserve `elements`; returns the offset in bytes, a multiple of a cache line."""
        offset = self._bytes
        self._bytes += -(-elements * self._size // LINE_BYTES) * LINE_BYTES
        return offset

    def allocate(self) -> tuple[np.ndarray, int]:
        """The array that owns the memory, and the address of offset 0. A page behind it may be read."""
        owner = np.zeros(self._bytes + 2 * LINE_BYTES + 1024, np.uint8)
        return owner, -(-owner.ctypes.data // LINE_BYTES) * LINE_BYTES
