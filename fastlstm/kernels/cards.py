"""The cells that kernels are compiled for: the built-in ones, and users' traced ones (`fastlstm.spec`).

What a kernel asks of a cell (`jit.trait`), each an integer known at compile time:

* `GATES`, `SPLITS_GATES`, `PASSES_STATE`, as in `fastlstm.cells`;
* `OTHERS`: how many states there are beside h; `CARRIES_CELL`: whether there are any;
* `INPUTS`: whether x is multiplied, or holds the gates; `RECURS`: whether there is a recurrent product;
* `ACROSS`: whether a step needs the means over a sample's units;
* `EXTRA`: how many values training stores for each unit beside those that stand in the gates' slots;
* `UNITS`, `STEPS`: how many unit parameters and step inputs there are.
"""

from __future__ import annotations

from typing import Any

from fastlstm.cells import CELLS
from fastlstm.spec import Cell

_USUAL = {"INPUTS": 1, "RECURS": 1, "ACROSS": 0, "EXTRA": 0, "UNITS": 0, "STEPS": 0}


class Card:
    """A user's cell as kernels see it. Its recurrent product is dense or there is none (`spec/plain.py`)."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        gradients = cell.backward.gradients
        self.GATES = len(cell.gates)
        self.SPLITS_GATES = int(cell.splits_gates)
        self.PASSES_STATE = int(("state", cell.states[0]) in gradients)
        self.OTHERS = len(cell.states) - 1
        self.CARRIES_CELL = int(self.OTHERS > 0)
        self.INPUTS = int(cell.input != "none")
        self.RECURS = int(cell.recurrent != "none")
        self.ACROSS = int(any(node.op == "mean" for node in cell.nodes))
        self.UNITS, self.STEPS = len(cell.unit), len(cell.step)
        slots = self.GATES * (2 if cell.splits_gates else 1)
        self.stored_in_gates = cell.backward.stored[:slots]
        self.stored_extra = cell.backward.stored[slots:]
        self.EXTRA = len(self.stored_extra)


_cards: dict[str, Card] = {}


def card_name(cell: Cell) -> str:
    """The name by which `cell_of` knows a user's cell: one for all that compute the same."""
    name = f"{cell.name}-{cell.digest}"
    if name not in _cards:
        _cards[name] = Card(cell)
    return name


def cell_of(name: str) -> Any:
    """The module of a built-in cell, or the card of a user's."""
    return _cards.get(name) or CELLS[name]


def trait_of(name: str, trait: str) -> int:
    """An integer that a cell states about itself."""
    cell = cell_of(name)
    if trait == "OTHERS" and not isinstance(cell, Card):
        return int(cell.CARRIES_CELL)
    return int(getattr(cell, trait) if hasattr(cell, trait) else _USUAL[trait])
