"""Padded widths of one layer stack's arrays on this machine, and memory cut into aligned pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.kernels.cards import card_name, trait_of
from fastlstm.kernels.machine import host
from fastlstm.spec import Stack

LINE_BYTES = 64
# Units up to which kernels may have samples as lanes.
MOST_UNITS = 32


def cell_name(config: Layer) -> str:
    """The cell's name for `fastlstm.kernels.cards`."""
    if isinstance(config, Stack):
        return card_name(config.cell)
    return config.mode


class Piece(NamedTuple):
    """One head of one direction of one layer, or all of it where a cell has no heads: what a task computes for some
    samples. number: counted within the layer. suffix: of its parameters' names.
    """

    layer: int
    direction: int
    head: int
    number: int
    suffix: str


@dataclass(frozen=True)
class Layout:
    """Widths in elements. H, P and `inputs` are of a piece: a head is a layer by itself that reads the same input.

    lanes: of one vector; W: of one panel; blocks: vectors of units, so many that the gates of all blocks fill whole
    panels, those that meet one value in a step together.
    """

    config: Layer
    dtype: np.dtype

    @property
    def heads(self) -> int:
        config = self.config
        return config.num_heads if isinstance(config, Stack) and config.cell.recurrent == "heads" else 1

    @property
    def H(self) -> int:
        return self.config.hidden_size // self.heads

    @property
    def P(self) -> int:
        return self.config.output_size // self.heads

    def inputs(self, layer: int) -> int:
        """How many numbers of x, or of the output of the layer below, a piece of the layer reads."""
        return self.config.layer_input_size(layer) if self.trait("INPUTS") else self.gates * self.H

    def pieces(self) -> list[Piece]:
        """In torch's order, the heads of a direction one after another."""
        return [
            Piece(layer, direction, head, direction * self.heads + head, suffix)
            for layer, direction, suffix in self.config.parts()
            for head in range(self.heads)
        ]

    def first(self, name: str, piece: Piece) -> int:
        """Where the parameter of this name, without its suffix, begins for a piece: in elements of the whole array."""
        if name == "weight_hh":
            return piece.head * self.gates * self.H * self.P
        return piece.head * self.H * (self.inputs(piece.layer) if name == "weight_ih" else 1)

    @property
    def gates(self) -> int:
        return self.trait("GATES")

    def trait(self, name: str) -> int:
        """What the cell states about itself (`fastlstm.kernels.cards`)."""
        return trait_of(cell_name(self.config), name)

    @property
    def section(self) -> int:
        """Padded width of one state's units."""
        return self.panels(self.H) * self.W

    @property
    def lanes(self) -> int:
        return host().lanes(self.dtype)

    @property
    def W(self) -> int:
        return host().tile_vectors * self.lanes

    @property
    def blocks(self) -> int:
        blocks = -(-self.H // self.lanes)
        while any(gates * blocks % host().tile_vectors for gates in self.together):
            blocks += 1
        return blocks

    @property
    def together(self) -> list[int]:
        """How many gates' recurrent products are made at once, in the order in which a step needs them."""
        stages, counts = self.trait("STAGES"), self.trait("COUNTS")
        return [counts >> 4 * value & 15 for value in range(stages + 1)] if stages else [self.gates]

    @property
    def gate_rows(self) -> int:
        """All gates of all blocks."""
        return self.gates * self.blocks * self.lanes

    @property
    def by_samples(self) -> bool:
        """Whether there are weights for kernels whose lanes are samples: narrow layers of one direction, with a product
        of x and one of h and nothing else.
        """
        usual = {"RECURS": 1, "INPUTS": 1, "ACROSS": 0, "STAGES": 0, "UNITS": 0, "STEPS": 0}
        one = self.config.directions * self.heads == 1 and not self.config.projected
        return one and self.H <= MOST_UNITS and all(self.trait(name) == value for name, value in usual.items())

    def sample_row(self, inputs: int) -> int:
        """Numbers of a row of such weights, 0 where there are none."""
        return (inputs + 1 + self.trait("SPLITS_GATES") + self.H) * self.by_samples

    def panels(self, width: int) -> int:
        """How many panels `width` columns fill."""
        return -(-width // self.W)

    def row(self, width: int) -> int:
        """Distance of rows of `width` columns: whole panels, never a multiple of 1 KB.

        Rows 1 KB apart share a quarter of the cache's sets and cost a third of the speed of a product.
        """
        return self.apart(self.panels(width) * self.W)

    def apart(self, width: int) -> int:
        """Distance of rows of this width: a line more where it would be a multiple of 1 KB."""
        size = self.dtype.itemsize
        return width + LINE_BYTES // size if width * size % 1024 == 0 else width


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
