"""Some units of one sample through one step of a user's cell: its graph (`fastlstm.spec`) as vector IR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from llvmlite import ir
from numba.core import cgutils

from fastlstm.kernels.cards import Card
from fastlstm.kernels.lockstep import Group, Lockstep
from fastlstm.kernels.vector import Emitter, Vector
from fastlstm.spec.graph import COMPARISONS, evaluate, live

_I64 = ir.IntType(64)
_MADE = ("product", "product_back")  # before the pass that needs them


@dataclass
class Pointers:
    """Where the rows of one sample stand, at the first unit; None where a pass has none. `step.py` says their shapes.

    `count`: units from the first on; lanes behind them may hold anything.
    """

    z: ir.Value
    u: ir.Value
    h: ir.Value
    c: ir.Value
    e: ir.Value
    units: ir.Value
    es: ir.Value
    section: ir.Value
    blocks: ir.Value
    count: ir.Value
    p: ir.Value | None = None  # of the transposed products of the step's own, stage by stage
    p_stage: ir.Value | None = None  # distance of two stages
    dh: ir.Value | None = None
    dc: ir.Value | None = None


class _Values:
    """What a graph is evaluated with: groups of vectors, leaves from the rows of one sample."""

    def __init__(self, math: Lockstep, card: Card, rows: Pointers, block: ir.Value) -> None:
        self._math, self._card, self._rows, self._block = math, card, rows, block

    def __getattr__(self, name: str) -> Callable[..., Group]:
        return lambda *args: self._math.apply(name, *args)

    def constant(self, value: float) -> Group:
        return self._math.splat(value)

    def where(self, mask: Group, then: Group, otherwise: Group) -> Group:
        return self._math.apply("select", mask, then, otherwise)

    def clip(self, value: Group, low: Group, high: Group) -> Group:
        return self._math.apply("minimum", self._math.apply("maximum", value, low), high)

    def compare(self, op: str, a: Group, b: Group) -> Group:
        return self._math.apply("compare", a, b, first=COMPARISONS[op])

    def logic(self, op: str, *args: Group) -> Group:
        return self._math.apply("logic", *args, first=op)

    def leaf(self, kind: str, name: str) -> Group:
        cell, rows = self._card.cell, self._rows
        if kind == "u":
            return load_recurrent(self._math, self._card, rows, self._block, name)
        if kind in ("gate", "x"):
            return self._math.load_gate(rows.z, len(cell.gates), self._block, cell.gates.index(name))
        if kind == "unit":
            return self._load(rows.units, cell.unit.index(name))
        if kind == "step":
            return self._load(rows.es, cell.step.index(name))
        number = cell.states.index(name)
        first, others = (rows.dh, rows.dc) if kind == "grad" else (rows.h, rows.c)
        return self._math.load(first, self._block) if number == 0 else self._load(others, number - 1)

    def _load(self, pointer: ir.Value | None, number: int) -> Group:
        return self._math.load(section(self._math, pointer, self._rows.section, number), self._block)


def section(math: Lockstep, pointer: ir.Value | None, distance: ir.Value, number: int) -> ir.Value:
    """Where state, parameter or step input `number` begins."""
    return math.builder.gep(pointer, [math.builder.mul(distance, ir.Constant(_I64, number))])


def load_recurrent(math: Lockstep, card: Card, rows: Pointers, block: ir.Value, gate: str) -> Group:
    """What stands in a row of u for a gate."""
    pointer, gates, number = _place(math, card, rows, gate)
    return math.load_gate(pointer, gates, block, number)


def store_recurrent(math: Lockstep, card: Card, rows: Pointers, block: ir.Value, gate: str, value: Group) -> None:
    """Write it, with zeros behind the last unit."""
    pointer, gates, number = _place(math, card, rows, gate)
    math.store_gate(math.first_units(value, block, rows.count), pointer, gates, block, number)


def _place(math: Lockstep, card: Card, rows: Pointers, gate: str) -> tuple[ir.Value, int, int]:
    """Where the gate's group begins in a row of u, how many gates it has, and the gate's number there."""
    before, gates, number = card.recurrent_place(gate)
    pointer = section(math, rows.u, rows.blocks, before * math.lanes) if before else rows.u
    return pointer, gates, number


def _products(card: Card, rows: Pointers, math: Lockstep, block: ir.Value) -> dict[int, Group]:
    """The products of the step's own, that have been made."""
    return {
        number: load_recurrent(math, card, rows, block, node.data)
        for number, node in enumerate(card.cell.nodes)
        if node.op == "product"
    }


def value(
    vectors: Emitter, each_block: Callable[..., None], card: Card, rows: Pointers, stage: int, target: ir.Value
) -> None:
    """What the step multiplies in this stage, from the products of those before, for all blocks of the rows."""

    def known(math: Lockstep, block: ir.Value) -> dict[int, Group]:
        return _products(card, rows, math, block)

    def store(math: Lockstep, block: ir.Value, values: Sequence[Group]) -> None:
        math.store(values[0], target, block)

    _pass(vectors, each_block, card, rows, [card.groups[stage][0]], known, store)


def slopes(vectors: Emitter, each_block: Callable[..., None], card: Card, rows: Pointers, stage: int) -> None:
    """The gradients of the products of a stage, into u."""
    gates = card.groups[stage][1]
    of_gate = {gate: number for gate, number, _ in card.cell.products}

    def store(math: Lockstep, block: ir.Value, values: Sequence[Group]) -> None:
        for gate, value in zip(gates, values, strict=True):
            store_recurrent(math, card, rows, block, gate, value)

    known = partial(_stored, card, rows)
    _pass(vectors, each_block, card, rows, [of_gate[gate] for gate in gates], known, store)


def _stored(card: Card, rows: Pointers, math: Lockstep, block: ir.Value) -> dict[int, Group]:
    """What forward has stored, and of each stage whose transposed product has been made, that."""
    G, known = card.GATES, dict[int, Group]()
    for slot, number in enumerate(card.stored_in_gates):
        known[number] = math.load_gate(rows.z if slot < G else rows.u, G, block, slot % G)
    for slot, number in enumerate(card.stored_extra):
        known[number] = math.load_gate(rows.e, card.EXTRA, block, slot)
    for stage, (_, gates) in enumerate(card.groups):
        # The transposed product of all gates of a stage is one: it stands for the sum of theirs.
        pointer = section(math, rows.p, rows.p_stage, stage)
        for number, node in enumerate(card.cell.nodes):
            if node.op == "product_back" and node.data in gates:
                known[number] = math.load(pointer, block) if node.data == gates[0] else math.splat(0.0)
    return known


def forward(
    vectors: Emitter, each_block: Callable[..., None], card: Card, rows: Pointers, new_h: ir.Value, new_c: ir.Value
) -> None:
    """The new states, and what training stores, for all blocks of the rows."""
    cell = card.cell
    roots = [*(cell.outputs[name] for name in cell.states), *card.stored_in_gates, *card.stored_extra]

    def store(math: Lockstep, block: ir.Value, values: Sequence[Group]) -> None:
        G, states = card.GATES, len(cell.states)
        for number, value in enumerate(values[:states]):
            if number == 0:
                math.store(value, new_h, block)
            else:
                math.store(value, section(math, new_c, rows.section, number - 1), block)
        for number, value in enumerate(values[states : states + len(card.stored_in_gates)]):
            math.store_gate(value, rows.z if number < G else rows.u, G, block, number % G)
        for number, value in enumerate(values[states + len(card.stored_in_gates) :]):
            math.store_gate(value, rows.e, card.EXTRA, block, number)

    _pass(vectors, each_block, card, rows, roots, partial(_products, card, rows), store)


def backward(
    vectors: Emitter,
    each_block: Callable[..., None],
    card: Card,
    rows: Pointers,
    direct: ir.Value,
    d_units: ir.Value,
    d_es: ir.Value,
) -> None:
    """The gradients of the gates into z and u, of the previous states into `direct` and dc; those of unit parameters
    and step inputs are added to `d_units` and `d_es`.
    """
    cell, G = card.cell, card.GATES
    gradients = cell.gradients
    leaves = list(gradients)

    own = {gate for _, group in card.groups for gate in group}

    def store(math: Lockstep, block: ir.Value, values: Sequence[Group]) -> None:
        found = dict(zip(leaves, values, strict=True))
        zero = math.splat(0.0)
        for number, gate in enumerate(cell.gates):
            of_z = found.get(("x" if cell.splits_gates else "gate", gate), zero)
            math.store_gate(math.first_units(of_z, block, rows.count), rows.z, G, block, number)
            if cell.splits_gates and gate not in own:
                store_recurrent(math, card, rows, block, gate, found.get(("u", gate), zero))
        for number, state in enumerate(cell.states):
            if number == 0:
                if card.PASSES_STATE:
                    math.store(found.get(("state", state), zero), direct, block)
            else:
                math.store(found.get(("state", state), zero), section(math, rows.dc, rows.section, number - 1), block)
        for kind, names, target in (("unit", cell.unit, d_units), ("step", cell.step, d_es)):
            for number, name in enumerate(names):
                if (kind, name) in found:
                    place = section(math, target, rows.section, number)
                    math.store(math.load(place, block) + found[kind, name], place, block)

    _pass(vectors, each_block, card, rows, list(gradients.values()), partial(_stored, card, rows), store)


def _pass(
    vectors: Emitter,
    each_block: Callable[..., None],
    card: Card,
    rows: Pointers,
    roots: Sequence[int],
    stored: Callable[[Lockstep, ir.Value], dict[int, Group]],
    store: Callable[[Lockstep, ir.Value, Sequence[Group]], None],
) -> None:
    """Evaluates `roots` for every block, from the stored values and the leaves.

    A mean looks at all blocks: those of one level, which need no other of it, are taken in one loop over the blocks,
    and what the loops need again is computed again, from the first-level cache.
    """
    nodes, means = card.cell.nodes, dict[int, Vector]()

    def values_of(math: Lockstep, block: ir.Value, wanted: Sequence[int]) -> list[Group]:
        known = stored(math, block)
        known |= {number: math.splat_vector(mean) for number, mean in means.items() if number not in known}
        return evaluate(nodes, wanted, known, _Values(math, card, rows, block))

    for level in _levels(card, roots, set(card.cell.backward.stored) if rows.dh is not None else set()):
        found = _means(vectors, rows, [nodes[number].args[0] for number in level], values_of)
        means |= dict(zip(level, found, strict=True))
    each_block(rows.blocks, lambda math, block: store(math, block, values_of(math, block, roots)))


def _levels(card: Card, roots: Sequence[int], known: set[int]) -> list[list[int]]:
    """The means that the roots need, by how many lie below each; none below a known value."""
    nodes = [
        type(node)(node.op, () if number in known or node.op in _MADE else node.args, node.data)
        for number, node in enumerate(card.cell.nodes)
    ]
    depth: dict[int, int] = {}
    levels: dict[int, list[int]] = {}
    for number in live(nodes, roots):
        depth[number] = max((depth[arg] for arg in nodes[number].args), default=0)
        if nodes[number].op == "mean" and number not in known:
            levels.setdefault(depth[number], []).append(number)
            depth[number] += 1
    return [levels[level] for level in sorted(levels)]


def _means(
    vectors: Emitter,
    rows: Pointers,
    wanted: Sequence[int],
    values_of: Callable[[Lockstep, ir.Value, Sequence[int]], Sequence[Group]],
) -> list[Vector]:
    """The means over all units of some values, each in all lanes."""
    builder = vectors.builder
    sums = [cgutils.alloca_once(builder, vectors.type) for _ in wanted]
    for place in sums:
        builder.store(vectors.splat(0.0).value, place)
    one, zero = ir.Constant(_I64, 1), ir.Constant(_I64, 0)
    with cgutils.for_range_slice(builder, zero, rows.blocks, one, inc=True) as (block, _):
        math = Lockstep(vectors, 1)
        for place, value in zip(sums, values_of(math, block, wanted), strict=True):
            (part,) = math.first_units(value, block, rows.count).vectors
            builder.store((Vector(vectors, builder.load(place)) + part).value, place)
    count = builder.sitofp(rows.count, vectors.real.type)
    return [vectors.splat(builder.fdiv(vectors.total(Vector(vectors, builder.load(place))), count)) for place in sums]
