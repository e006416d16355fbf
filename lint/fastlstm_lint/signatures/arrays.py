"""Arrays of NumPy whose sizes are written out, of which torch makes doubles, and rows and columns of a pandas table."""

from __future__ import annotations

from ..tensors import CONTIGUOUS
from ..values import Axis, Foreign, Range, Tensor, Tup, Value, int_of
from .dtypes import DOUBLE
from .registry import Site, dims_of, function, unknown_size


@function("numpy.zeros", "numpy.ones", "numpy.empty", "numpy.random.random")
def filled(site: Site, shape: Value) -> Value | None:
    return None if site.positional > 1 else _doubles(site, shape)


@function("numpy.random.rand", "numpy.random.randn", variadic=True)
def drawn(site: Site, shape: Value) -> Value | None:
    return _doubles(site, shape)


def _doubles(site: Site, shape: Value) -> Value | None:
    sizes = dims_of(shape)
    known = [] if sizes is None else [Axis.of(size) for size in sizes if size is not None]
    if sizes is None or not sizes or len(known) < len(sizes) or site.keywords or not site.complete:
        return None
    return Foreign("array", Tensor(tuple(known), None, frozenset(), DOUBLE, CONTIGUOUS))


def kept(base: Foreign, name: str) -> Foreign | None:
    """What a method of an array or a table gives, if that has the same axes."""
    if base.holds is None or name not in ("to_numpy", "copy", "astype", "fillna"):
        return None
    return Foreign(base.name, base.holds.typed(None, None)) if name in ("to_numpy", "astype") else base


def cells(items: tuple[Value, ...]) -> Value:
    """`table.iloc[rows, columns]`: a place leaves its axis out, a slice or a list keeps it."""
    kept = [isinstance(item, Range) or (isinstance(item, Tup) and item.is_list) for item in items]
    if not all(keeps or int_of(item) is not None for keeps, item in zip(kept, items, strict=True)):
        return Foreign("table")
    axes = tuple(Axis.of(unknown_size(name)) for keeps, name in zip(kept, ("rows", "columns"), strict=True) if keeps)
    return Foreign("table", Tensor(axes))


@function("numpy.array", "numpy.asarray", "numpy.ascontiguousarray")
def as_array(site: Site, object: Value) -> Value | None:
    return kept(object, "astype") if isinstance(object, Foreign) else None


@function("torch.from_numpy")
def taken(site: Site, input: Value) -> Value | None:
    return input.holds if isinstance(input, Foreign) else None
