"""A value in words: `(B batch, T time, 2*H feature)`.

An axis is two words, its size and its meaning; `?` stands for what is not known or differs between calls. A size is
called as the program calls it (`hidden_size`), and by its letter (B, T, L, D) where the program has no name for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..contract import BATCH, DIRECTION, FEATURE, LAYER, TIME
from ..dims import Dim, Invented, Symbol
from ..values import Axis, Packed, Tensor, Tup, Value, resolve

UNKNOWN = "?"
PROGRAM_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
LETTERS = {BATCH: "B", TIME: "T", LAYER: "L", DIRECTION: "D", "directions": "D", "longest": "T"}
"""By what a size measures, or by the name that the signatures invent for it."""

ReadAs = Mapping[Tensor, tuple[str | None, ...]]
"""By tensor: what its axes mean to the layer that it was given to."""

MOST_ITEMS, MOST_DEEP = 4, 4
"""Items of a tuple that are spelled out, and tuples in tuples."""


@dataclass(frozen=True, slots=True)
class AxisWords:
    """One axis. `dim` is the size itself, None where it is not known or differs."""

    size: str
    meaning: str
    dim: Dim | None = None

    def __str__(self) -> str:
        return UNKNOWN if self.size == self.meaning == UNKNOWN else f"{self.size} {self.meaning}"


@dataclass(frozen=True, slots=True)
class ShapeWords:
    """A tensor, or a PackedSequence as the padded tensor it stands for, batch first."""

    axes: tuple[AxisWords, ...]
    packed: bool = False

    def __str__(self) -> str:
        return f"{'packed ' if self.packed else ''}({', '.join(map(str, self.axes))})"


@dataclass(frozen=True, slots=True)
class TupleWords:
    """A tuple or list of shapes."""

    items: tuple[Words, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"


Words = ShapeWords | TupleWords


class Namer:
    """What sizes are called within one run of one function: the second batch size without a name is B2."""

    def __init__(self) -> None:
        self._given: dict[Symbol, str] = {}
        self._used: dict[str, int] = {}

    def names(self) -> dict[str, Dim]:
        """The sizes that have a name, by it."""
        return {name: Dim.of(symbol) for symbol, name in self._given.items() if name != UNKNOWN}

    def name(self, symbol: Symbol) -> str:
        """The name of a symbol; `?` for one that nothing names."""
        if symbol not in self._given:
            self._given[symbol] = self._new(symbol)
        return self._given[symbol]

    def _new(self, symbol: Symbol) -> str:
        own = symbol.name.removeprefix("self.")
        invented = isinstance(symbol, Invented)
        if PROGRAM_NAME.fullmatch(own) and not invented:
            return own
        letter = LETTERS.get(symbol.meaning or (own if invented else ""))
        if letter is None:
            return symbol.alias or UNKNOWN
        count = self._used[letter] = self._used.get(letter, 0) + 1
        return letter if count == 1 else f"{letter}{count}"


def size_words(dim: Dim, name: Callable[[Symbol], str]) -> str:
    """A size without blanks: `2*H+1`; `?` if any part of it has no name."""
    if dim.value is not None:
        return str(dim.value)
    terms = []
    for monomial, count in dim.terms.items():
        names = sorted(name(symbol) for symbol in monomial)
        if UNKNOWN in names:
            return UNKNOWN
        terms.append((names, count))
    terms.sort(key=lambda term: (not term[0], term[0]))
    return "+".join("*".join([*([str(n)] if n != 1 or not names else []), *names]) for names, n in terms).replace(
        "+-", "-"
    )


def describe(
    value: Value, name: Callable[[Symbol], str], read_as: ReadAs | None = None, deep: int = MOST_DEEP
) -> Words | None:
    """A tensor, a packed sequence or a tuple of them in words; None for all else."""
    value = resolve(value)
    if isinstance(value, Tensor):
        meanings = (read_as or {}).get(value) or (None,) * value.rank
        return ShapeWords(tuple(_axis(axis, name, word) for axis, word in zip(value.axes, meanings, strict=True)))
    if isinstance(value, Packed):
        axes = (Axis.of(value.batch, BATCH), Axis.of(value.time, TIME), value.feature)
        return ShapeWords(tuple(_axis(axis, name) for axis in axes), packed=True)
    if isinstance(value, Tup) and 0 < len(value.items) <= MOST_ITEMS and deep > 0:
        items = [describe(item, name, read_as, deep - 1) for item in value.items]
        known = [item for item in items if item is not None]
        return TupleWords(tuple(known)) if len(known) == len(items) else None
    return None


def _axis(axis: Axis, name: Callable[[Symbol], str], read_as: str | None = None) -> AxisWords:
    meaning = axis.meaning if axis.meaning != (None,) else (read_as,)
    if meaning == (DIRECTION, FEATURE):
        meaning = (FEATURE,)
    joined = UNKNOWN if all(word is None for word in meaning) else "*".join(word or UNKNOWN for word in meaning)
    size = size_words(axis.size, name)
    return AxisWords(size, joined, None if size == UNKNOWN else axis.size)


def meet(a: Words, b: Words) -> Words | None:
    """What both say; None where they have not even the rank in common."""
    if isinstance(a, TupleWords) and isinstance(b, TupleWords):
        if len(a.items) != len(b.items):
            return None
        items = [meet(x, y) for x, y in zip(a.items, b.items, strict=True)]
        known = [item for item in items if item is not None]
        return TupleWords(tuple(known)) if len(known) == len(items) else None
    if isinstance(a, ShapeWords) and isinstance(b, ShapeWords):
        if len(a.axes) != len(b.axes) or a.packed != b.packed:
            return None
        return ShapeWords(tuple(_meet_axes(x, y) for x, y in zip(a.axes, b.axes, strict=True)), a.packed)
    return None


def _meet_axes(a: AxisWords, b: AxisWords) -> AxisWords:
    same = a.size == b.size
    meaning = a.meaning if a.meaning == b.meaning else UNKNOWN
    return AxisWords(a.size if same else UNKNOWN, meaning, a.dim if same else None)


def says_something(found: Words) -> bool:
    """Whether more than a number of axes is known."""
    if isinstance(found, TupleWords):
        return any(says_something(item) for item in found.items)
    return not found.axes or any(axis.size != UNKNOWN or axis.meaning != UNKNOWN for axis in found.axes)
