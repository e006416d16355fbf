"""What an expression of the linted program may be: tensors with axis meanings, sizes, modules, tuples, unknown.

An axis is a tuple of parts, slowest first; a part is a size with a meaning. A bidirectional output's last axis has the
parts (direction, feature), and a reshape is a regrouping of parts. Meanings are the words of `fastlstm.contract`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fastlstm.contract import BATCH, TIME

from .dims import Dim, Symbol, product

SAMPLE_WORDS = {BATCH: "batch", TIME: "time"}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an axis: its size, and its meaning or None."""

    size: Dim
    meaning: str | None = None

    @property
    def known(self) -> str | None:
        """The meaning given here, or else the one learnt by the symbol that measures it."""
        if self.meaning is None and (symbol := self.size.symbol) is not None:
            return symbol.meaning
        return self.meaning


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a tensor."""

    parts: tuple[Part, ...]

    @staticmethod
    def of(size: Dim | int, meaning: str | None = None) -> Axis:
        return Axis((Part(Dim.of(size), meaning),))

    @property
    def size(self) -> Dim:
        return self.parts[0].size if len(self.parts) == 1 else product(part.size for part in self.parts)

    @property
    def meaning(self) -> tuple[str | None, ...]:
        return tuple(part.known for part in self.parts)

    def means(self, *words: str) -> bool:
        """Whether the axis means exactly these words, slowest first."""
        return self.meaning == words

    def __str__(self) -> str:
        words = "*".join(part.known or "?" for part in self.parts)
        return f"{self.size}" if words == "?" else f"{words}={self.size}"


class Value:
    """Base of all values."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a tensor comes from: `role` is "output", "h_n", "c_n", "h", "c" of the recurrent module `layer`."""

    role: str
    layer: Any
    node: Any
    packed: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Tensor(Value):
    """A tensor of known rank. `origin` says which recurrent call made it; `traits` are words such as "random"."""

    axes: tuple[Axis, ...]
    origin: Origin | None = None
    traits: frozenset[str] = frozenset()

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def sizes(self) -> tuple[Dim, ...]:
        return tuple(axis.size for axis in self.axes)

    def find(self, meaning: str) -> int | None:
        """The position of the only axis with exactly this meaning."""
        found = [i for i, axis in enumerate(self.axes) if axis.meaning == (meaning,)]
        return found[0] if len(found) == 1 else None

    def replaced(
        self, axes: Iterable[Axis], origin: Origin | None = None, traits: frozenset[str] | None = None
    ) -> Tensor:
        """A tensor made from this one with other axes; it keeps the traits, not the origin."""
        return Tensor(tuple(axes), origin, self.traits if traits is None else traits)

    def __str__(self) -> str:
        inner = ", ".join(str(axis) for axis in self.axes)
        return f"({inner},)" if self.rank == 1 else f"({inner})"


class Opaque(Value):
    """Something not known, with a name. It may turn out to be a tensor, a size or an object with attributes.

    `size(i)` gives the symbol of one of its axes, `number` its own symbol, `attribute` a further unknown: each is made
    once, so that `x.size(0)` is the same size wherever it is written. `as_tensor(rank)` settles it as a tensor.
    """

    __slots__ = ("_attributes", "_number", "_sizes", "default", "maybe_none", "meanings", "name", "settled", "traits")

    def __init__(self, name: str, default: int | None = None, meanings: dict[int, str] | None = None) -> None:
        self.name = name
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

    def be_number(self, dim: Dim) -> None:
        """Say what the value is if it is read as a size."""
        self._number = dim

    def attribute(self, name: str) -> Opaque:
        if name not in self._attributes:
            self._attributes[name] = Opaque(f"{self.name}.{name}")
        return self._attributes[name]

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
        return dict(self._sizes)

    def as_tensor(self, rank: int, names: list[str | None] | None = None) -> Tensor | None:
        """This value as a tensor of `rank` axes; None if it was settled otherwise."""
        if self.settled is None:
            names = names or [None] * rank
            axes = []
            for i in range(rank):
                index = i if i in self._sizes or i - rank not in self._sizes else i - rank
                axes.append(Axis.of(self.size(index, names[i]), self.meanings.get(i)))
            self.settled = Tensor(tuple(axes), None, self.traits)
        return self.settled if self.settled.rank == rank else None

    def __str__(self) -> str:
        return self.name


class Rows(Opaque):
    """An unknown whose axes but the last are those of `base`: the output of Embedding or Linear on an unknown."""

    __slots__ = ("base", "last", "same_rank")

    def __init__(self, base: Opaque, last: Axis, same_rank: bool) -> None:
        super().__init__(base.name)
        self.base, self.last, self.same_rank = base, last, same_rank

    def size(self, index: int, name: str | None = None) -> Dim:
        if self.settled is None and index == -1:
            return self.last.size
        if self.settled is None and index >= 0:
            return self.base.size(index, name)
        return super().size(index, name)

    def as_tensor(self, rank: int, names: list[str | None] | None = None) -> Tensor | None:
        if self.settled is None:
            inner = self.base.as_tensor(rank if self.same_rank else rank - 1, names)
            if inner is None:
                return None
            lead = inner.axes[: rank - 1]
            self.settled = Tensor((*lead, self.last), None, self.traits)
        return super().as_tensor(rank, names)


class Swapped(Opaque):
    """An unknown `base` with axes `i` and `j` exchanged."""

    __slots__ = ("base", "pair")

    def __init__(self, base: Opaque, i: int, j: int) -> None:
        super().__init__(f"{base.name}.transpose({i}, {j})")
        self.base, self.pair = base, (i, j)

    def size(self, index: int, name: str | None = None) -> Dim:
        if self.settled is not None or index < 0:
            return super().size(index, name)
        i, j = self.pair
        return self.base.size(j if index == i else i if index == j else index, name)

    def as_tensor(self, rank: int, names: list[str | None] | None = None) -> Tensor | None:
        i, j = self.pair
        if self.settled is None and max(i, j) < rank and min(i, j) >= -rank:
            inner = self.base.as_tensor(rank)
            if inner is None:
                return None
            axes = list(inner.axes)
            axes[i], axes[j] = axes[j], axes[i]
            self.settled = inner.replaced(axes)
        return super().as_tensor(rank, names)


class Inserted(Opaque):
    """An unknown `base` with an axis of size 1 put in at `at`."""

    __slots__ = ("at", "base")

    def __init__(self, base: Opaque, at: int) -> None:
        super().__init__(f"{base.name}.unsqueeze({at})")
        self.base, self.at = base, at

    def size(self, index: int, name: str | None = None) -> Dim:
        if self.settled is not None or index < 0 or self.at < 0:
            return super().size(index, name)
        if index == self.at:
            return Dim.of(1)
        return self.base.size(index if index < self.at else index - 1, name)

    def as_tensor(self, rank: int, names: list[str | None] | None = None) -> Tensor | None:
        if self.settled is None and -rank <= self.at < rank:
            inner = self.base.as_tensor(rank - 1)
            if inner is None:
                return None
            axes = list(inner.axes)
            axes.insert(self.at % rank, Axis.of(1))
            self.settled = inner.replaced(axes)
        return super().as_tensor(rank, names)


@dataclass(frozen=True, slots=True, eq=False)
class Num(Value):
    """An integer, known or symbolic."""

    dim: Dim


@dataclass(frozen=True, slots=True)
class Const(Value):
    """A literal that is not an integer: bool, float, str, None, Ellipsis."""

    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Flag(Value):
    """A truth value that is an argument of the program. `choose(2, 1)` is a symbol `count`, 2 where it is true."""

    name: str
    count: Dim
    default: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Condition(Value):
    """A test whose outcome is not known. Where it holds, one of `large` is not at its smallest value."""

    large: frozenset[Symbol] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Tup(Value):
    """A tuple or list of known length."""

    items: tuple[Value, ...]
    is_list: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Many(Value):
    """A sequence of unknown length, all of whose items are like `item`; `length` is symbolic or None."""

    item: Value
    length: Dim | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SizesOf(Value):
    """`x.shape` of a value of unknown rank."""

    base: Opaque


@dataclass(frozen=True, slots=True, eq=False)
class Range(Value):
    """A slice or a `range`: start, stop, step as written."""

    start: Value | None
    stop: Value | None
    step: Value | None
    is_slice: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Name(Value):
    """Something of a library, by its full dotted name: `torch.nn.LSTM`. `choices` holds several after a branch."""

    choices: tuple[str, ...]

    @property
    def only(self) -> str | None:
        return self.choices[0] if len(self.choices) == 1 else None


@dataclass(slots=True, eq=False)
class Module(Value):
    """A module of torch.nn other than the recurrent ones: `kind` is its class, `config` its bound arguments."""

    kind: str
    config: dict[str, Value]
    node: Any = None
    items: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Packed(Value):
    """A PackedSequence: the padded tensor's parts, without a layout."""

    batch: Dim
    time: Dim
    feature: Axis
    origin: Origin | None = None
    enforce_sorted: bool | None = None
    node: Any = None
    batch_first: bool | None = None


@dataclass(slots=True, eq=False)
class Function(Value):
    """A function or method of the linted program."""

    node: Any
    scope: Any
    owner: Any = None
    bound: Value | None = None
    name: str = ""
    decorator: str = ""  # "property", "staticmethod", "classmethod" or nothing


@dataclass(slots=True, eq=False)
class Class(Value):
    """A class of the linted program."""

    node: Any
    scope: Any
    name: str
    bases: tuple[Value, ...]
    body: dict[str, Value] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        """An attribute of the class or of its bases, nearest first."""
        if name in self.body:
            return self.body[name]
        for base in self.bases:
            if isinstance(base, Class) and (found := base.find(name)) is not None:
                return found
        return None

    def library_bases(self) -> list[str]:
        """The full names of the library classes it derives from."""
        names: list[str] = []
        for base in self.bases:
            if isinstance(base, Class):
                names += base.library_bases()
            elif isinstance(base, Name):
                names += base.choices
        return names


@dataclass(slots=True, eq=False)
class Instance(Value):
    """An object of a class of the linted program."""

    cls: Class
    attributes: dict[str, Value] = field(default_factory=dict)
    unstable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Method(Value):
    """A method of a library value, before it is called."""

    base: Value
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Partial(Value):
    """functools.partial: a callable with some of its arguments given."""

    callee: Value
    positional: tuple[Value, ...]
    keywords: dict[str, Value]


NONE = Const(None)


def known(value: Value | None) -> bool:
    """Whether anything beyond a name is known about a value."""
    return value is not None and not (isinstance(value, Opaque) and value.settled is None)


def resolve(value: Value) -> Value:
    """The tensor that an unknown value turned out to be, else the value itself."""
    return value.settled if isinstance(value, Opaque) and value.settled is not None else value


def dim_of(value: Value | None) -> Dim | None:
    """A value read as a size."""
    if isinstance(value, Num):
        return value.dim
    if isinstance(value, Opaque):
        return value.number
    if isinstance(value, Flag):
        return value.count - 1
    if isinstance(value, Const) and isinstance(value.value, bool):
        return Dim.of(int(value.value))
    return None


def int_of(value: Value | None) -> int | None:
    """A value read as a known integer."""
    return value.dim.value if isinstance(value, Num) else None


def items_of(value: Value | None) -> tuple[Value, ...] | None:
    """The items of a tuple or list of known length."""
    return value.items if isinstance(value, Tup) else None


def tensor_of(value: Value | None, rank: int | None = None) -> Tensor | None:
    """A value as a tensor; an unknown is settled at `rank` when one is given."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Opaque):
        return value.settled if rank is None else value.as_tensor(rank)
    return None
