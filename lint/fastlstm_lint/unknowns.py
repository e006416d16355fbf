"""What is not known: values that may turn out to be tensors, sizes or objects with attributes."""

from __future__ import annotations

from .dims import Dim, Symbol
from .tensors import GUESSED, TURNED, Axis, Tensor, Value

LONGEST = 120
"""Characters of a name made of the names of other things: it is read in messages."""

LINKS = 30
"""Unknowns that an unknown may be made of, one after the other, before nothing is known of it any more."""


class Opaque(Value):
    """Something not known, with a name. It may turn out to be a tensor, a size or an object with attributes.

    `size(i)` gives the symbol of one of its axes, `number` its own symbol, `attribute` a further unknown: each is made
    once, so that `x.size(0)` is the same size wherever it is written. `as_tensor(rank)` settles it as a tensor.
    """

    links = 0
    """How many unknowns it is made of, one after the other."""

    __slots__ = ("_attributes", "_number", "_sizes", "default", "maybe_none", "meanings", "name", "settled", "traits")

    def __init__(self, name: str, default: int | None = None, meanings: dict[int, str] | None = None) -> None:
        self.name = name if len(name) <= LONGEST else name[: LONGEST - 3] + "..."
        self.default = default
        self.maybe_none = False
        self.meanings = meanings or {}
        self.traits: frozenset[str] = frozenset()
        self.settled: Tensor | None = None
        self._sizes: dict[int, Dim] = {}
        self._attributes: dict[str, Opaque] = {}
        self._number: Dim | None = None

    @property
    def number(self) -> Dim:
        """The value itself, read as a size."""
        if self._number is None:
            self._number = Dim.of(Symbol(self.name, self.default))
        return self._number

    @property
    def is_counted(self) -> bool:
        """Whether the program reads it as a number: it has such a default, or is a size or an operand elsewhere."""
        return self.default is not None or self._number is not None

    def be_number(self, dim: Dim) -> None:
        """Say what the value is if it is read as a size."""
        self._number = dim

    def attribute(self, name: str) -> Opaque:
        if name not in self._attributes:
            self._attributes[name] = Opaque(f"{self.name}{'' if name.startswith('[') else '.'}{name}")
        return self._attributes[name]

    def forget(self, name: str) -> None:
        """The program stores something else under this name."""
        self._attributes.pop(name, None)

    def size(self, index: int, name: str | None = None) -> Dim:
        """The size of axis `index`; `name` is how the program calls it, if this is its first mention."""
        if self.settled is not None and -self.settled.rank <= index < self.settled.rank:
            return self.settled.axes[index].size
        if index not in self._sizes:
            own = name or f"{self.name}.size({index})"
            self._sizes[index] = Dim.of(Symbol(own, meaning=self.meanings.get(index)))
        return self._sizes[index]

    def measured(self) -> dict[int, Dim]:
        """The sizes that were asked for, by axis."""
        return self._sizes

    def as_tensor(self, rank: int, names: list[str | None] | None = None, sure: bool = True) -> Tensor | None:
        """This value as a tensor of `rank` axes; None if it was settled otherwise.

        It is a guess where the use that settles it would take another rank as well: a layer takes (T, B, I) or (T, I).
        """
        if self.settled is None:
            names = names or [None] * rank
            axes = []
            for i in range(rank):
                index = i if i in self._sizes or i - rank not in self._sizes else i - rank
                axes.append(Axis.of(self.size(index, names[i]), self.meanings.get(i)))
            traits = self.traits if sure else self.traits | {GUESSED}
            self.settled = Tensor(tuple(axes), None, traits)
        return self._at(rank, sure)

    def _at(self, rank: int, sure: bool) -> Tensor | None:
        """The tensor that this value is, if of this rank; said for certain, it is no guess any more."""
        found = self.settled
        if found is not None and sure and found.rank == rank and GUESSED in found.traits:
            self.settled = found = found.replaced(found.axes, found.origin, found.traits - {GUESSED})
        return found if found is not None and found.rank == rank else None

    def __str__(self) -> str:
        return self.name


def linked(base: Opaque) -> Opaque:
    """What another unknown is to be made of: `base`, or at the end of a long chain an unknown like it."""
    return base if base.links < LINKS else Opaque(base.name)


class Foreign(Opaque):
    """What another library than torch made, such as an array of NumPy: it has sizes, and is never a tensor.

    `holds` is the tensor that torch makes of it, where that is known.
    """

    __slots__ = ("holds",)

    def __init__(self, name: str, holds: Tensor | None = None) -> None:
        super().__init__(name)
        self.holds = holds

    def attribute(self, name: str) -> Opaque:
        if name not in self._attributes:
            self._attributes[name] = Foreign(f"{self.name}.{name}")
        return self._attributes[name]

    def as_tensor(self, rank: int, names: list[str | None] | None = None, sure: bool = True) -> Tensor | None:
        return None


class Rows(Opaque):
    """An unknown whose axes but the last are those of `base`: the output of Embedding or Linear on an unknown."""

    __slots__ = ("base", "last", "links", "same_rank")

    def __init__(self, base: Opaque, last: Axis, same_rank: bool) -> None:
        super().__init__(base.name)
        self.base, self.last, self.same_rank = linked(base), last, same_rank
        self.links = self.base.links + 1

    def size(self, index: int, name: str | None = None) -> Dim:
        if self.settled is None and index == -1:
            return self.last.size
        if self.settled is None and index >= 0:
            return self.base.size(index, name)
        return super().size(index, name)

    def measured(self) -> dict[int, Dim]:
        return {**super().measured(), **{index: size for index, size in self.base.measured().items() if index >= 0}}

    def as_tensor(self, rank: int, names: list[str | None] | None = None, sure: bool = True) -> Tensor | None:
        if self.settled is None:
            inner = self.base.as_tensor(rank if self.same_rank else rank - 1, names, sure)
            if inner is None:
                return None
            lead = inner.axes[: rank - 1]
            self.settled = Tensor((*lead, self.last), None, self.traits | inner.traits & {GUESSED})
        return self._at(rank, sure)


class Same(Opaque):
    """An unknown `base` of which a method was called that only a tensor has: `h.detach()`."""

    __slots__ = ("base",)

    def __init__(self, base: Opaque) -> None:
        super().__init__(base.name, base.default, base.meanings)
        self.base = base
        self.traits = frozenset({"detached", "tensor"})

    def size(self, index: int, name: str | None = None) -> Dim:
        return self.base.size(index, name)

    def measured(self) -> dict[int, Dim]:
        return self.base.measured()

    def as_tensor(self, rank: int, names: list[str | None] | None = None, sure: bool = True) -> Tensor | None:
        inner = self.base.as_tensor(rank, names, sure)
        if inner is not None and self.settled is None:
            self.settled = inner.replaced(inner.axes, inner.origin, inner.traits | {"detached"})
        return self._at(rank, sure) if inner is not None else None


class Swapped(Opaque):
    """An unknown `base` with axes `i` and `j` exchanged."""

    __slots__ = ("base", "links", "pair")

    def __init__(self, base: Opaque, i: int, j: int) -> None:
        super().__init__(f"{base.name}.transpose({i}, {j})")
        self.base, self.pair = linked(base), (i, j)
        self.links = self.base.links + 1

    def size(self, index: int, name: str | None = None) -> Dim:
        if self.settled is not None or index < 0:
            return super().size(index, name)
        i, j = self.pair
        return self.base.size(j if index == i else i if index == j else index, name)

    def measured(self) -> dict[int, Dim]:
        i, j = self.pair
        place = {i: j, j: i}
        return {
            place.get(index, index): size for index, size in self.base.measured().items() if index >= 0 <= min(i, j)
        }

    def as_tensor(self, rank: int, names: list[str | None] | None = None, sure: bool = True) -> Tensor | None:
        i, j = self.pair
        if self.settled is None and max(i, j) < rank and min(i, j) >= -rank:
            inner = self.base.as_tensor(rank, None, sure)
            if inner is None:
                return None
            axes = list(inner.axes)
            axes[i], axes[j] = axes[j], axes[i]
            turned = i % rank == 0 or j % rank == 0
            self.settled = inner.replaced(axes, None, inner.traits ^ {TURNED} if turned else inner.traits)
        return super().as_tensor(rank, names, sure)


class Inserted(Opaque):
    """An unknown `base` with an axis of size 1 put in at `at`."""

    __slots__ = ("at", "base", "links")

    def __init__(self, base: Opaque, at: int) -> None:
        super().__init__(f"{base.name}.unsqueeze({at})")
        self.base, self.at = linked(base), at
        self.links = self.base.links + 1

    def size(self, index: int, name: str | None = None) -> Dim:
        if self.settled is not None or index < 0 or self.at < 0:
            return super().size(index, name)
        if index == self.at:
            return Dim.of(1)
        return self.base.size(index if index < self.at else index - 1, name)

    def measured(self) -> dict[int, Dim]:
        at = self.at
        return {index + (index >= at): size for index, size in self.base.measured().items() if index >= 0 <= at}

    def as_tensor(self, rank: int, names: list[str | None] | None = None, sure: bool = True) -> Tensor | None:
        if self.settled is None and -rank <= self.at < rank:
            inner = self.base.as_tensor(rank - 1, None, sure)
            if inner is None:
                return None
            axes = list(inner.axes)
            axes.insert(self.at % rank, Axis.of(1))
            self.settled = inner.replaced(axes)
        return super().as_tensor(rank, names, sure)
