"""Where paths meet: a value becomes what all of them say, and unknown where they disagree."""

from __future__ import annotations

from collections.abc import Sequence

from ..dims import Dim, Symbol
from ..layers import Recurrent
from ..records import replace
from ..tensors import GUESSED
from ..values import (
    Axis,
    Class,
    Const,
    Flag,
    Function,
    Instance,
    Many,
    Module,
    Name,
    Num,
    Opaque,
    Packed,
    Table,
    Tensor,
    Tup,
    Value,
)
from .scope import Pending

PAIRS = 1_000
"""Pairs of values that are joined for one pair of names; objects may hold each other in circles."""

Pairs = dict[tuple[int, int], Value]
"""Joined pairs, by identity."""


def join(a: Value, b: Value, name: str, pairs: Pairs | None = None) -> Value:
    """The value after two paths that give `a` and `b` to the same name. `pairs` is what was joined on the way here."""
    if a is b:
        return a
    a, b = (each.force() if isinstance(each, Pending) else each for each in (a, b))
    if isinstance(a, Opaque) and a.settled is not None:
        a = a.settled
    if isinstance(b, Opaque) and b.settled is not None:
        b = b.settled
    if a is b:
        return a
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Many) and isinstance(other, Tup) and other.is_list:
            # A list that a loop fills: empty or begun before it.
            return Many(join_all([one.item, *other.items], name))
    if type(a) is type(b):
        if isinstance(a, (Tup, Module, Many, Instance, Table)):
            pairs = {} if pairs is None else pairs
            if (found := pairs.get((id(a), id(b)))) is not None or len(pairs) > PAIRS:
                return found or Opaque(name)
            pairs[id(a), id(b)] = Opaque(name)  # what it is inside of itself
        same = _same_type(a, b, name, pairs)
        if same is not None:
            if pairs is not None:
                pairs[id(a), id(b)] = same
            return same
    return Opaque(name)


def join_all(values: Sequence[Value], name: str) -> Value:
    """What all values have in common; one that is there a thousand times is looked at once."""
    result, *others = {id(value): value for value in values}.values()
    for value in others:
        result = join(result, value, name)
    return result


def _same_type(a: Value, b: Value, name: str, pairs: Pairs | None) -> Value | None:
    if isinstance(a, Num) and isinstance(b, Num):
        return a if a.dim == b.dim else None
    if isinstance(a, Const):
        return a if a == b else None
    if isinstance(a, Flag) and isinstance(b, Flag):
        return a if a.count == b.count else None
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return _tensors(a, b, name)
    if isinstance(a, Tup) and isinstance(b, Tup) and len(a.items) == len(b.items):
        items = tuple(join(x, y, f"{name}[{i}]", pairs) for i, (x, y) in enumerate(zip(a.items, b.items, strict=True)))
        return Tup(items, a.is_list and b.is_list)
    if isinstance(a, Table) and isinstance(b, Table) and a.items.keys() == b.items.keys():
        return Table({key: join(value, b.items[key], key, pairs) for key, value in a.items.items()})
    if isinstance(a, Name) and isinstance(b, Name):
        return Name(tuple(dict.fromkeys(a.choices + b.choices)))
    if isinstance(a, Recurrent) and isinstance(b, Recurrent):
        return _layers(a, b, name)
    if isinstance(a, Module) and isinstance(b, Module) and a.kind == b.kind:
        config = {key: join(a.config[key], b.config[key], key, pairs) for key in a.config.keys() & b.config.keys()}
        if len(a.items) == len(b.items):
            items = tuple(join(x, y, name, pairs) for x, y in zip(a.items, b.items, strict=True))
            return Module(a.kind, config, a.node, items)
        return None
    if isinstance(a, Many) and isinstance(b, Many):
        return Many(join(a.item, b.item, name, pairs), a.length if a.length == b.length else None)
    if isinstance(a, Instance) and isinstance(b, Instance) and a.cls is b.cls:
        keys = a.attributes.keys() & b.attributes.keys()
        return Instance(
            a.cls, {key: join(a.attributes[key], b.attributes[key], key, pairs) for key in keys}, a.unstable
        )
    if isinstance(a, Function) and isinstance(b, Function) and a.node is b.node and a.bound is b.bound:
        return a
    if isinstance(a, Class) and isinstance(b, Class) and a.node is b.node:
        return a
    if isinstance(a, Packed) and isinstance(b, Packed) and a.batch == b.batch and a.feature == b.feature:
        return a if a.time == b.time else replace(a, time=_unknown(f"{name}.time"))
    return None


def _tensors(a: Tensor, b: Tensor, name: str) -> Value | None:
    if a.rank != b.rank:
        return None
    axes = []
    for i, (x, y) in enumerate(zip(a.axes, b.axes, strict=True)):
        if x.size == y.size:
            axes.append(x if x.meaning == y.meaning else Axis.of(x.size))
        else:
            meaning = x.meaning[0] if x.meaning == y.meaning and len(x.meaning) == 1 else None
            axes.append(Axis.of(_unknown(f"{name}.size({i})"), meaning))
    origin = a.origin if a.origin is b.origin else None
    traits = (a.traits & b.traits) | ((a.traits | b.traits) & {GUESSED})
    strides = a.strides if a.strides == b.strides else None
    return Tensor(tuple(axes), origin, traits, a.dtype if a.dtype == b.dtype else None, strides)


def _layers(a: Recurrent, b: Recurrent, name: str) -> Recurrent | None:
    if a.is_cell != b.is_cell:
        return None

    def size(x: Dim, y: Dim, word: str) -> Dim:
        return x if x == y else _unknown(f"{name}.{word}")

    return Recurrent(
        tuple(dict.fromkeys(a.kinds + b.kinds)),
        a.is_cell,
        size(a.input_size, b.input_size, "input_size"),
        size(a.hidden_size, b.hidden_size, "hidden_size"),
        size(a.num_layers, b.num_layers, "num_layers"),
        size(a.directions, b.directions, "directions"),
        a.batch_first if a.batch_first is b.batch_first else None,
        size(a.proj_size, b.proj_size, "proj_size"),
        a.library,
        a.node,
        {},
        a.subclass or b.subclass,
    )


def _unknown(name: str) -> Dim:
    return Dim.of(Symbol(name))
