"""A user's cell's step with the functions of another library: torch's or jax's arrays in NumPy's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..spec import Cell
from ..spec.graph import evaluate

Array = Any
Step = Callable[[Array, Sequence[Array], Mapping[str, Array]], tuple[Array, ...]]
"""(input products (B, G, H), states (B, H) each, step inputs by name) -> the new states."""


def step_of(cell: Cell, calculus: Any, product: Callable[[Array, slice], Array], units: Mapping[str, Array]) -> Step:
    """A step of the cell in another library.

    calculus: what `evaluate` computes with, but products. product: (h (B, H), gates) -> W_hh h + b_hh (B, gates, H).
    units: the unit parameters, (H,) each.
    """
    G, h = len(cell.gates), cell.states[0]
    roots = [cell.outputs[name] for name in cell.states]
    whole = any(kind in ("u", "gate") for kind, _ in cell.reads)

    def step(inputs: Array, states: Sequence[Array], extra: Mapping[str, Array]) -> tuple[Array, ...]:
        before = dict(zip(cell.states, states, strict=True))
        recurrent = product(before[h], slice(0, G)) if whole and cell.recurrent != "none" else None
        sums = inputs if recurrent is None or cell.splits_gates else inputs + recurrent
        known: dict[int, Any] = {}
        for number, node in enumerate(cell.nodes):
            if node.op == "leaf" and node.data in cell.reads:
                kind, name = node.data
                if kind in ("gate", "x"):
                    known[number] = sums[:, cell.gates.index(name)]
                elif kind == "u":
                    assert recurrent is not None
                    known[number] = recurrent[:, cell.gates.index(name)]
                else:
                    known[number] = {"state": before, "unit": units, "step": extra}[kind][name]
        functions = _WithProducts(cell, calculus, product)
        for result, pairs in cell.custom:
            value, *slopes = evaluate(
                cell.nodes, [result, *(number for pair in pairs for number in pair)], known, functions
            )
            known[result] = calculus.custom(value, list(zip(slopes[::2], slopes[1::2], strict=True)))
        return tuple(evaluate(cell.nodes, roots, known, functions))

    return step


class _WithProducts:
    """A library's calculus, and the products of the step's own."""

    def __init__(self, cell: Cell, calculus: Any, product: Callable[[Array, slice], Array]) -> None:
        self._gates, self._calculus, self._product = cell.gates, calculus, product

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calculus, name)

    def product(self, gate: str, value: Array) -> Array:
        number = self._gates.index(gate)
        return self._product(value, slice(number, number + 1))[:, 0]
