"""The cells that kernels are compiled for: the built-in ones, and users' traced ones (`fastlstm.spec`).

What a kernel asks of a cell (`jit.trait`), each an integer known at compile time:

* `GATES`, `SPLITS_GATES`, `PASSES_STATE`, as in `fastlstm.cells`;
* `OTHERS`: how many states there are beside h; `CARRIES_CELL`: whether there are any;
* `INPUTS`: whether x is multiplied, or holds the gates; `RECURS`: whether there is a recurrent product;
* `ACROSS`: whether a step needs the means over a sample's units;
* `EXTRA`: how many values training stores for each unit beside those that stand in the gates' slots;
* `UNITS`, `STEPS`: how many unit parameters and step inputs there are;
* `STAGES`: how many values of the step are multiplied with W_hh themselves; `VALUES`: which one each gate's rows are
  multiplied with, four bits for each gate, 0 for the state; `COUNTS`: how many gates meet each, four bits for each;
* `MULTIPLIES_STATE`: whether the product of h is made before the step; `RETURNS_STATE`: whether its transpose is made
  after the step's gradient; both are made within where there are stages and the step `READS_STATE`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastlstm.cells import CELLS
from fastlstm.spec import Cell
from fastlstm.spec.canonical import canonical
from fastlstm.spec.graph import live

_USUAL = {"INPUTS": 1, "RECURS": 1, "ACROSS": 0, "EXTRA": 0, "UNITS": 0, "STEPS": 0, "STAGES": 0, "VALUES": 0,
          "COUNTS": 0, "MULTIPLIES_STATE": 1, "RETURNS_STATE": 1, "READS_STATE": 1}  # fmt: skip
MOST_STAGES, MOST_GATES = 2, 15


def multiplied(cell: Cell) -> dict[int, list[str]]:
    """The values that a step multiplies with W_hh, each with the gates whose rows it meets, in the order in which the
    step needs them."""
    found: dict[int, list[str]] = {}
    for number in live(cell.nodes, cell.outputs.values()):
        node = cell.nodes[number]
        if node.op == "product":
            found.setdefault(node.args[0], []).append(node.data)
    return dict(sorted(found.items()))


def reason_against(cell: Cell) -> str | None:
    """Why these kernels do not serve a cell, None where they do."""
    if cell.recurrent not in ("dense", "heads"):
        return None  # `spec/plain.py` makes one of it that has no product
    groups = multiplied(cell)
    gates = [gate for group in groups.values() for gate in group]
    gates += [name for kind, name in cell.reads if kind == "u" and groups]
    twice = sorted({gate for gate in gates if gates.count(gate) > 1})
    if twice:
        return f"the rows of W_hh of {', '.join(twice)} are multiplied with two values in one step"
    if len(groups) > MOST_STAGES:
        return f"the step multiplies {len(groups)} values with W_hh itself, more than {MOST_STAGES}"
    if groups and len(cell.gates) > MOST_GATES:
        return f"the step multiplies with W_hh itself and has {len(cell.gates)} gates, more than {MOST_GATES}"
    return None


class Card:
    """A user's cell as kernels see it. Its recurrent product is dense or there is none (`spec/plain.py`)."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        gradients = cell.gradients
        self.GATES = len(cell.gates)
        self.SPLITS_GATES = int(cell.splits_gates)
        self.groups = list(multiplied(cell).items())
        self.STAGES = len(self.groups)
        self.PASSES_STATE = int(("state", cell.states[0]) in gradients or self.STAGES > 0)
        self.OTHERS = len(cell.states) - 1
        self.CARRIES_CELL = int(self.OTHERS > 0)
        self.INPUTS = int(cell.input != "none")
        self.RECURS = int(cell.recurrent != "none")
        self.ACROSS = int(any(node.op == "mean" for node in cell.nodes) or self.STAGES > 0)
        self.MULTIPLIES_STATE = self.RETURNS_STATE = int(self.RECURS and not self.STAGES)
        self.READS_STATE = int(any(kind == "u" for kind, _ in cell.reads))
        value_of = {gate: value for value, (_, gates) in enumerate(self.groups, 1) for gate in gates}
        self.together = [[g for g in cell.gates if value_of.get(g, 0) == value] for value in range(self.STAGES + 1)]
        self.VALUES = self.COUNTS = 0
        if self.STAGES:
            self.VALUES = sum(value_of.get(gate, 0) << 4 * number for number, gate in enumerate(cell.gates))
            self.COUNTS = sum(len(gates) << 4 * value for value, gates in enumerate(self.together))
        self.UNITS, self.STEPS = len(cell.unit), len(cell.step)
        # Where there are stages, the slots of u get gradients while stored values are still read.
        slots = self.GATES * (2 if cell.splits_gates and not self.STAGES else 1)
        self.stored_in_gates = cell.backward.stored[:slots]
        self.stored_extra = cell.backward.stored[slots:]
        self.EXTRA = len(self.stored_extra)

    def recurrent_place(self, gate: str) -> tuple[int, int, int]:
        """Of the gates whose products stand in a row of u: how many in the groups before this one's, in its group, and
        its number there. A group is the gates that meet one value.
        """
        before = 0
        for gates in self.together:
            if gate in gates:
                return before, len(gates), gates.index(gate)
            before += len(gates)
        raise KeyError(gate)


_cards: dict[str, Card] = {}


@lru_cache(256)
def card_name(cell: Cell) -> str:
    """The name by which `cell_of` knows a user's cell: one for all that compute the same, whatever their names."""
    same = canonical(cell)
    if same.digest not in _cards:
        _cards[same.digest] = Card(same)
    return same.digest


def cell_of(name: str) -> Any:
    """The module of a built-in cell, or the card of a user's."""
    return _cards.get(name) or CELLS[name]


def trait_of(name: str, trait: str) -> int:
    """An integer that a cell states about itself."""
    cell = cell_of(name)
    if trait == "OTHERS" and not isinstance(cell, Card):
        return int(cell.CARRIES_CELL)
    return int(getattr(cell, trait) if hasattr(cell, trait) else _USUAL[trait])
