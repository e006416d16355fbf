"""A cell whose gates are W x + b alone, where its recurrent product is diagonal or there is none.

One number for each unit and gate is a unit parameter like any other: gate.i = x.i + w_i * h + b_i. So an engine has two
kinds of cells to serve, with a dense recurrent product and without one.
"""

from __future__ import annotations

from dataclasses import replace

from .cell import Cell
from .graph import Graph

WEIGHT, BIAS = "weight_hh.", "bias_hh."
"""What the unit parameters of the recurrent product are called, before the gate's name. No user's name has a dot."""


def plain(cell: Cell) -> Cell:
    """The same cell with recurrent="none", which reads `gate`; a dense one, or one of heads, as it is."""
    if cell.recurrent not in ("diagonal", "none"):
        return cell
    diagonal = cell.recurrent == "diagonal"
    graph, numbers = Graph(), list[int]()
    h = cell.states[0]

    def product(gate: str) -> int:
        if not diagonal:
            return graph.constant(0)
        scaled = graph.add("mul", graph.leaf("unit", WEIGHT + gate), graph.leaf("state", h))
        return graph.add("add", scaled, graph.leaf("unit", BIAS + gate))

    for node in cell.nodes:
        if node.op == "const":
            number = graph.constant(node.data)
        elif node.op != "leaf":
            number = graph.add(node.op, *(numbers[arg] for arg in node.args), data=node.data)
        elif node.data[0] == "u":
            number = product(node.data[1])
        elif node.data[0] == "gate":
            number = graph.add("add", graph.leaf(*node.data), product(node.data[1]))
        else:
            number = graph.leaf("gate" if node.data[0] == "x" else node.data[0], node.data[1])
        numbers.append(number)
    gradients: dict[tuple[str, str], int] = {}
    for (kind, name), number in cell.gradients.items():
        if kind != "u":
            gradients["gate" if kind == "x" else kind, name] = numbers[number]
    if diagonal:
        for gate in cell.gates:
            of_product = cell.gradients.get(("u" if cell.splits_gates else "gate", gate))
            if of_product is None:
                continue
            slope = numbers[of_product]
            gradients["unit", WEIGHT + gate] = graph.add("mul", slope, graph.leaf("state", h))
            gradients["unit", BIAS + gate] = slope
            passed = graph.add("mul", slope, graph.leaf("unit", WEIGHT + gate))
            before = gradients.get(("state", h))
            gradients["state", h] = passed if before is None else graph.add("add", before, passed)
    more = (*(WEIGHT + gate for gate in cell.gates), *(BIAS + gate for gate in cell.gates)) if diagonal else ()
    return replace(
        cell,
        unit=(*cell.unit, *more),
        recurrent="none",
        splits_gates=False,
        nodes=tuple(graph.nodes),
        outputs={name: numbers[number] for name, number in cell.outputs.items()},
        gradients=gradients,
        products=(),
        custom=(),
    )
