"""Tensors as values: axes with symbolic sizes and meanings.

An axis is a tuple of parts, slowest first; a part is a size with a meaning. A bidirectional output's last axis has the
parts (direction, feature), and a reshape is a regrouping of parts. Meanings are the words of `fastlstm_lint.contract`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .dims import Dim, product
from .records import equal_record, field, record, replace

NOTHING = ""
"""The meaning of what a reshape cut out across axes: its size may be that of the batch, its numbers are not."""

COPIES = "copies"
"""The meaning of a part that `repeat` put in front of the axis it repeats."""


MOST_PARTS = 16
"""Parts of an axis: one with more is kept as a size without meaning."""


@equal_record
class Part:
    """A stretch of an axis: its size, and its meaning, None where that is not known, or NOTHING."""

    size: Dim
    meaning: str | None = None

    @property
    def known(self) -> str | None:
        """The meaning given here, or else the one learnt by the symbol that measures it."""
        if self.meaning is None and (symbol := self.size.symbol) is not None:
            return symbol.meaning
        return self.meaning or None


@equal_record
class Axis:
    """One axis of a tensor."""

    parts: tuple[Part, ...]
    size: Dim = field(init=False)

    def __post_init__(self) -> None:
        parts = self.parts
        size = parts[0].size if len(parts) == 1 else product([part.size for part in parts])
        object.__setattr__(self, "size", size)
        if len(parts) > MOST_PARTS:
            object.__setattr__(self, "parts", (Part(size),))

    @staticmethod
    def of(size: Dim | int, meaning: str | None = None) -> Axis:
        return Axis((Part(Dim.of(size), meaning),))

    @property
    def meaning(self) -> tuple[str | None, ...]:
        return tuple([part.known for part in self.parts])

    def means(self, *words: str) -> bool:
        """Whether the axis means exactly these words, slowest first."""
        return self.meaning == words

    def __str__(self) -> str:
        words = "*".join(part.known or "?" for part in self.parts)
        return f"{self.size}" if words == "?" else f"{words}={self.size}"


class Value:
    """Base of all values."""

    __slots__ = ()

    weight = 1
    """How many values it holds, itself included, each as often as it is reached; see `values.light`."""


@record
class Origin:
    """Where a tensor comes from: `role` is "output", "h_n", "c_n", "h", "c" of the recurrent module `layer`.

    `mixed` says that modules which work on each position alone have made new features of all of its own. `inside` says
    of a tensor that the program made ("created") that a method of a model made it, and not its constructor.
    """

    role: str
    layer: Any
    node: Any
    packed: bool = False
    mixed: bool = False
    inside: bool = False
    drawn: Any = None  # the call that filled it with random numbers

    def through(self) -> Origin:
        """The origin of what a module makes of each position: of the output and states of a layer it stays."""
        return self if self.mixed else replace(self, mixed=True)


GUESSED = "assumed"
"""The trait of a tensor whose number of axes is taken from how it is used, and may be another one."""

ARRAY = "array"
"""The trait of what may be an array of NumPy's: an unknown was reshaped, as arrays are, too."""

TURNED = "turned"
"""The trait of a tensor whose first axis the program itself has brought there, and of what a layer makes of it."""

CONTIGUOUS = "contiguous"
"""The strides of a tensor that lies in memory as its axes are written."""

Strides = tuple[int, ...] | str | None


@record
class Tensor(Value):
    """A tensor of known rank. `origin` says which recurrent call made it; `traits` are words such as "random".

    `dtype` is torch's name of the element type, `strides` are numbers or `CONTIGUOUS`, `contents` the entries of one
    axis of integers; None where they are not known.
    """

    axes: tuple[Axis, ...]
    origin: Origin | None = None
    traits: frozenset[str] = frozenset()
    dtype: str | None = None
    strides: Strides = None
    contents: tuple[int, ...] | None = None

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def sizes(self) -> tuple[Dim, ...]:
        return tuple([axis.size for axis in self.axes])

    def find(self, meaning: str) -> int | None:
        """The position of the only axis with exactly this meaning."""
        found = [i for i, axis in enumerate(self.axes) if axis.meaning == (meaning,)]
        return found[0] if len(found) == 1 else None

    @property
    def numbers(self) -> list[int] | None:
        """The sizes, where all of them are numbers."""
        found = [axis.size.value for axis in self.axes]
        return None if None in found else found  # type: ignore[return-value]

    def replaced(
        self,
        axes: Iterable[Axis],
        origin: Origin | None = None,
        traits: frozenset[str] | None = None,
        strides: Strides = None,
    ) -> Tensor:
        """A tensor made from this one with other axes; it keeps the traits and the dtype, not the origin."""
        return Tensor(tuple(axes), origin, self.traits if traits is None else traits, self.dtype, strides)

    def typed(self, dtype: str | None, strides: Strides = None) -> Tensor:
        """The same axes with another element type and other strides."""
        return Tensor(self.axes, self.origin, self.traits, dtype, strides)

    def __str__(self) -> str:
        inner = ", ".join(str(axis) for axis in self.axes)
        return f"({inner},)" if self.rank == 1 else f"({inner})"
