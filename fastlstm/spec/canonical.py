"""One cell for all that compute the same: names by position, nodes in one order. Kernels are compiled of it.

So a gate's new name, lines of a step in another order or a factor before the other compile nothing anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .cell import Cell
from .graph import COMMUTES, Leaf, Node

_FIELDS: Mapping[str, str] = {
    "gate": "gates", "x": "gates", "u": "gates", "state": "states", "grad": "states", "unit": "unit", "step": "step"
}  # fmt: skip
"""Of each kind of leaf, the field of a cell that declares its name."""
_LETTERS: Mapping[str, str] = {"gates": "g", "states": "s", "unit": "p", "step": "e"}


def canonical(cell: Cell) -> Cell:
    """The same cell with names that say positions alone, gates g0 g1 .., states s0 .., unit parameters p0 .., step
    inputs e0 .., and with its nodes in an order that what they compute decides.
    """
    new = {
        field: {old: f"{letter}{n}" for n, old in enumerate(getattr(cell, field))} for field, letter in _LETTERS.items()
    }

    def renamed(node: Node) -> Any:
        if node.op in ("product", "product_back"):
            return new["gates"][node.data]
        return leaf(node.data) if node.op == "leaf" else node.data

    def leaf(old: Leaf) -> Leaf:
        return old[0], new[_FIELDS[old[0]]][old[1]]

    carried = list(map(renamed, cell.nodes))
    marks = _marks(cell.nodes, carried)
    outputs = [cell.outputs[name] for name in cell.states]
    gradients = sorted((leaf(old), number) for old, number in cell.gradients.items())
    products = sorted(cell.products, key=lambda one: (new["gates"][one[0]], marks[one[1]], marks[one[2]]))
    roots = [*outputs, *(number for _, number in gradients), *(number for _, *pair in products for number in pair)]
    nodes, numbers = _ordered(cell.nodes, carried, marks, roots)
    return replace(
        cell,
        name="cell",
        gates=tuple(new["gates"].values()),
        states=tuple(new["states"].values()),
        unit=tuple(new["unit"].values()),
        step=tuple(new["step"].values()),
        nodes=nodes,
        outputs={name: numbers[number] for name, number in zip(new["states"].values(), outputs, strict=True)},
        gradients={name: numbers[number] for name, number in gradients},
        products=tuple((new["gates"][gate], numbers[given], numbers[value]) for gate, given, value in products),
        custom=(),
    )


def _marks(nodes: Sequence[Node], data: Sequence[Any]) -> list[str]:
    """A name for what each node computes, behind its depth: deeper ones are greater."""
    marks: list[str] = []
    for node, own in zip(nodes, data, strict=True):
        args = [marks[arg] for arg in node.args]
        if node.op in COMMUTES:
            args.sort()
        depth = 1 + max((int(mark[:6]) for mark in args), default=0)
        marks.append(f"{depth:06d}" + hashlib.sha256(repr((node.op, args, own)).encode()).hexdigest())
    return marks


def _ordered(
    nodes: Sequence[Node], data: Sequence[Any], marks: Sequence[str], roots: Iterable[int]
) -> tuple[tuple[Node, ...], dict[int, int]]:
    """The nodes that the roots need, arguments first and the deepest of them before the others, so that few values wait
    at a time; and the new number of each.
    """
    found: list[Node] = []
    numbers: dict[int, int] = {}
    todo = [(root, False) for root in reversed(list(roots))]
    while todo:
        number, ready = todo.pop()
        if number in numbers:
            continue
        node = nodes[number]
        if ready:
            args = sorted(node.args, key=marks.__getitem__) if node.op in COMMUTES else node.args
            numbers[number] = len(found)
            found.append(Node(node.op, tuple(numbers[arg] for arg in args), data[number]))
        else:
            todo.append((number, True))
            todo += [(arg, False) for arg in sorted(node.args, key=marks.__getitem__)]  # the last is the next
    return tuple(found), numbers
