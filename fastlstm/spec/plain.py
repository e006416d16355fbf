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

    def scaled(gate: str, number: int) -> int:
        return graph.add("mul", graph.leaf("unit", WEIGHT + gate), number)

    def product(gate: str, number: int | None = None) -> int:
        """Of node `number`, or of the state."""
        if not diagonal:
            return graph.constant(0)
        number = graph.leaf("state", h) if number is None else number
        return graph.add("add", scaled(gate, number), graph.leaf("unit", BIAS + gate))

    for node in cell.nodes:
        if node.op == "const":
            number = graph.constant(node.data)
        elif node.op == "product":
            number = product(node.data, numbers[node.args[0]])
        elif node.op == "product_back":
            number = scaled(node.data, numbers[node.args[0]])
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

    def pass_to(leaf: tuple[str, str], number: int) -> None:
        before = gradients.get(leaf)
        gradients[leaf] = number if before is None else graph.add("add", before, number)

    def pass_product(gate: str, slope: int, value: int) -> None:
        pass_to(("unit", WEIGHT + gate), graph.add("mul", slope, value))
        pass_to(("unit", BIAS + gate), slope)

    if diagonal:
        for gate, slope, value in cell.products:
            pass_product(gate, numbers[slope], numbers[value])
        for gate in cell.gates:
            of_product = cell.gradients.get(("u" if cell.splits_gates else "gate", gate))
            if of_product is not None:
                pass_product(gate, numbers[of_product], graph.leaf("state", h))
                pass_to(("state", h), scaled(gate, numbers[of_product]))
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
