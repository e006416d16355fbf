"""What an expression of the linted program may be: tensors with axis meanings, sizes, modules, tuples, unknown."""

from __future__ import annotations

from typing import Any

from .dims import Dim, Symbol
from .records import changing, equal_record, field, record
from .tensors import Axis, Origin, Part, Tensor, Value
from .unknowns import Foreign, Inserted, Opaque, Rows, Same, Swapped

__all__ = [
    "NONE",
    "Axis",
    "Class",
    "Condition",
    "Const",
    "Flag",
    "Foreign",
    "Function",
    "Inserted",
    "Instance",
    "Many",
    "Method",
    "Module",
    "Name",
    "Num",
    "Opaque",
    "Origin",
    "Packed",
    "Part",
    "Partial",
    "Range",
    "Rows",
    "Same",
    "SizesOf",
    "Swapped",
    "Table",
    "Tensor",
    "Tup",
    "Value",
    "dim_of",
    "int_of",
    "items_of",
    "known",
    "resolve",
    "tensor_of",
]


@record
class Num(Value):
    """An integer, known or symbolic. `axis` is the axis it was read from, as in `x.size(0)`."""

    dim: Dim
    axis: Axis | None = None


@equal_record
class Const(Value):
    """A literal that is not an integer: bool, float, str, None, Ellipsis."""

    value: Any


@record
class Flag(Value):
    """A truth value that is an argument of the program. `choose(2, 1)` is a symbol `count`, 2 where it is true."""

    name: str
    count: Dim
    default: bool | None = None


@record
class Condition(Value):
    """A test whose outcome is not known. Where it holds, one of `large` is not at its smallest value.

    Where it holds, all of `ones` are 1, and where it does not, all of `ones_else`.
    """

    large: frozenset[Symbol] = frozenset()
    ones: frozenset[Symbol] = frozenset()
    ones_else: frozenset[Symbol] = frozenset()


@record
class Tup(Value):
    """A tuple or list of known length."""

    items: tuple[Value, ...]
    is_list: bool = False
    kind: str = ""
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        items, weight = light(self.items)
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "weight", weight)


@record
class Many(Value):
    """A sequence of unknown length, all of whose items are like `item`; `length` is symbolic or None."""

    item: Value
    length: Dim | None = None
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        (item,), weight = light((self.item,))
        object.__setattr__(self, "item", item)
        object.__setattr__(self, "weight", weight)


@record
class Table(Value):
    """A dict whose keys are known strings."""

    items: dict[str, Value]
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        items, weight = light(tuple(self.items.values()))
        object.__setattr__(self, "items", dict(zip(self.items, items, strict=True)))
        object.__setattr__(self, "weight", weight)


@record
class SizesOf(Value):
    """`x.shape` of a value of unknown rank."""

    base: Opaque


@record
class Range(Value):
    """A slice or a `range`: start, stop, step as written."""

    start: Value | None
    stop: Value | None
    step: Value | None
    is_slice: bool = True


@record
class Name(Value):
    """Something of a library, by its full dotted name: `torch.nn.LSTM`. `choices` holds several after a branch."""

    choices: tuple[str, ...]

    @property
    def only(self) -> str | None:
        return self.choices[0] if len(self.choices) == 1 else None


@changing
class Module(Value):
    """A module of torch.nn other than the recurrent ones: `kind` is its class, `config` its bound arguments."""

    kind: str
    config: dict[str, Value]
    node: Any = None
    items: tuple[Value, ...] = ()
    fed: set[Dim] = field(default_factory=set)  # the sizes of the last axis of what the program gives it
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        given, self.weight = light((*self.items, *self.config.values()))
        at = len(self.items)
        self.items = given[:at]
        self.config = dict(zip(self.config, given[at:], strict=True))


@record
class Packed(Value):
    """A PackedSequence: the padded tensor's parts, without a layout."""

    batch: Dim
    time: Dim
    feature: Axis
    origin: Origin | None = None
    enforce_sorted: bool | None = None
    node: Any = None
    batch_first: bool | None = None
    rank: int = 3  # of the padded tensor
    dtype: str | None = None
    lengths: tuple[int, ...] | None = None
    short: bool = False  # whether a length is above the number of steps: a layer refuses it


@changing
class Function(Value):
    """A function or method of the linted program."""

    node: Any
    scope: Any
    owner: Any = None
    bound: Value | None = None
    name: str = ""
    decorator: str = ""  # "property", "staticmethod", "classmethod" or nothing


MOST_BASES = 100
"""Classes above a class that are looked at."""


@changing
class Class(Value):
    """A class of the linted program."""

    node: Any
    scope: Any
    name: str
    bases: tuple[Value, ...]
    body: dict[str, Value] = field(default_factory=dict)
    _line: list[Class] = field(default_factory=list)
    reassigned: frozenset[str] | None = None  # attributes that methods beside `__init__` assign, once asked for
    is_made: bool = False  # whether the program itself makes objects of it

    def line(self) -> list[Class]:
        """The class and the classes of the program above it, each once, nearest first; of a long line its beginning."""
        if not self._line:
            found: dict[Class, None] = {}
            todo: list[Class] = [self]
            while todo and len(found) < MOST_BASES:
                each = todo.pop()
                if each not in found:
                    found[each] = None
                    todo += [base for base in reversed(each.bases[:MOST_BASES]) if isinstance(base, Class)]
            self._line = list(found)
        return self._line

    def find(self, name: str) -> Value | None:
        """An attribute of the class or of its bases, nearest first."""
        for each in self.line():
            if name in each.body:
                return each.body[name]
        return None

    def forget(self) -> None:
        """Let go of what the class holds: its methods hold it."""
        self.body.clear()
        self._line.clear()

    def library_bases(self) -> list[str]:
        """The full names of the library classes it derives from."""
        bases = (base for each in self.line() for base in each.bases[:MOST_BASES] if isinstance(base, Name))
        return [name for base in bases for name in base.choices]


@changing
class Instance(Value):
    """An object of a class of the linted program."""

    cls: Class
    attributes: dict[str, Value] = field(default_factory=dict)
    unstable: frozenset[str] = frozenset()


@record
class Method(Value):
    """A method of a library value, before it is called."""

    base: Value
    name: str


@record
class Partial(Value):
    """functools.partial: a callable with some of its arguments given."""

    callee: Value
    positional: tuple[Value, ...]
    keywords: dict[str, Value]
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        given, weight = light((self.callee, *self.positional, *self.keywords.values()))
        at = 1 + len(self.positional)
        object.__setattr__(self, "callee", given[0])
        object.__setattr__(self, "positional", given[1:at])
        object.__setattr__(self, "keywords", dict(zip(self.keywords, given[at:], strict=True)))
        object.__setattr__(self, "weight", weight)


NONE = Const(None)

MOST_ITEMS, MOST_WEIGHT = 1_000, 1_000
"""Items of a sequence, and values in it at any depth, each as often as it is reached. Beyond, the items are unknown:
two tuples that hold each other's predecessor twice have a million ways through them after twenty lines."""


def light(items: tuple[Value, ...]) -> tuple[tuple[Value, ...], int]:
    """The items as a sequence may hold them, and the weight of the sequence."""
    weight = 1
    for item in items:
        weight += item.weight
    if weight <= MOST_WEIGHT and len(items) < MOST_ITEMS:
        return items, weight
    unknown: Value = Opaque("?")
    if len(items) >= MOST_ITEMS:
        return (unknown,) * len(items), MOST_ITEMS
    items = tuple(item if item.weight == 1 else unknown for item in items)
    return items, 1 + len(items)


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
