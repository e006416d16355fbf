"""Vectors in lockstep: the values that a cell's equations are traced with, a vector for each of a few blocks of units.

Every operation is emitted for all blocks before the next one, so that their chains of dependent instructions lie side
by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)


class Group:
    """One vector for each block, with the operators of a vector."""

    __slots__ = ("vectors",)

    def __init__(self, vectors: Sequence[Vector]) -> None:
        self.vectors = vectors

    def __add__(self, other: Group | float) -> Group:
        return self._each(lambda a, b: a + b, other)

    def __sub__(self, other: Group | float) -> Group:
        return self._each(lambda a, b: a - b, other)

    def __rsub__(self, other: float) -> Group:
        return self._each(lambda a, b: b - a, other)

    def __mul__(self, other: Group | float) -> Group:
        return self._each(lambda a, b: a * b, other)

    def __truediv__(self, other: Group | float) -> Group:
        return self._each(lambda a, b: a / b, other)

    def __neg__(self) -> Group:
        return Group([-vector for vector in self.vectors])

    __radd__, __rmul__ = __add__, __mul__

    def _each(self, operation: Callable[[Vector, Vector | float], Vector], other: Group | float) -> Group:
        others = other.vectors if isinstance(other, Group) else [other] * len(self.vectors)
        return Group([operation(a, b) for a, b in zip(self.vectors, others, strict=True)])


class Lockstep:
    """`math` for a cell's equations, and the loads and stores of `count` consecutive blocks."""

    def __init__(self, vectors: Emitter, count: int) -> None:
        self._vectors, self._count = vectors, count

    def sigmoid(self, x: Group) -> Group:
        return Group([self._vectors.sigmoid(vector) for vector in x.vectors])

    def tanh(self, x: Group) -> Group:
        return Group([self._vectors.tanh(vector) for vector in x.vectors])

    def relu(self, x: Group) -> Group:
        return Group([self._vectors.relu(vector) for vector in x.vectors])

    def where_greater(self, a: Group, b: float, then: Group, otherwise: Group) -> Group:
        """`then` in the lanes where a > b, else (NaN included) `otherwise`."""
        return Group(
            [
                self._vectors.where_greater(x, b, y, n)
                for x, y, n in zip(a.vectors, then.vectors, otherwise.vectors, strict=True)
            ]
        )

    def apply(self, name: str, *groups: Group, first: str | None = None) -> Group:
        """A function of the emitter for each block; `first` stands before its vectors."""
        function = getattr(self._vectors, name)
        lead = () if first is None else (first,)
        return Group([function(*lead, *vectors) for vectors in zip(*(g.vectors for g in groups), strict=True)])

    def splat(self, value: float) -> Group:
        """One number for all units."""
        return self.splat_vector(self._vectors.splat(value))

    def splat_vector(self, vector: Vector) -> Group:
        """One vector for all blocks."""
        return Group([vector] * self._count)

    def first_units(self, group: Group, block: ir.Value, units: ir.Value) -> Group:
        """The group with zeros for units from number `units` on; its first block is number `block`."""
        return Group(
            [
                self._vectors.first_lanes(vector, self.builder.sub(units, self._place(block, n, 1, 0)))
                for n, vector in enumerate(group.vectors)
            ]
        )

    def load(self, pointer: ir.Value, block: ir.Value) -> Group:
        """One value for each unit: (blocks, lanes)."""
        return self._load(pointer, block, 1, 0)

    def store(self, group: Group, pointer: ir.Value, block: ir.Value) -> None:
        self._store(group, pointer, block, 1, 0)

    def load_gates(self, pointer: ir.Value, gates: int, block: ir.Value) -> list[Group]:
        """One group for each gate: (blocks, gates, lanes)."""
        return [self._load(pointer, block, gates, gate) for gate in range(gates)]

    def load_gate(self, pointer: ir.Value, gates: int, block: ir.Value, gate: int) -> Group:
        """One gate of (blocks, gates, lanes)."""
        return self._load(pointer, block, gates, gate)

    def store_gate(self, group: Group, pointer: ir.Value, gates: int, block: ir.Value, gate: int) -> None:
        self._store(group, pointer, block, gates, gate)

    def store_gates(self, groups: Sequence[Group], pointer: ir.Value, block: ir.Value) -> None:
        for gate, group in enumerate(groups):
            self._store(group, pointer, block, len(groups), gate)

    @property
    def builder(self) -> ir.IRBuilder:
        return self._vectors.builder

    @property
    def lanes(self) -> int:
        return self._vectors.lanes

    def _place(self, block: ir.Value, n: int, gates: int, gate: int) -> ir.Value:
        """Index of gate `gate` of the block `n` after `block`."""
        lanes = self.lanes
        first = self.builder.mul(block, ir.Constant(_I64, gates * lanes))
        return self.builder.add(first, ir.Constant(_I64, (n * gates + gate) * lanes))

    def _load(self, pointer: ir.Value, block: ir.Value, gates: int, gate: int) -> Group:
        places = [self._place(block, n, gates, gate) for n in range(self._count)]
        return Group([self._vectors.load(pointer, place) for place in places])

    def _store(self, group: Group, pointer: ir.Value, block: ir.Value, gates: int, gate: int) -> None:
        for n, vector in enumerate(group.vectors):
            self._vectors.store(vector, pointer, self._place(block, n, gates, gate))
