"""Arrays of NumPy whose sizes are written out: what torch makes of them has doubles."""

from __future__ import annotations

from ..tensors import CONTIGUOUS
from ..values import Axis, Foreign, Tensor, Value
from .dtypes import DOUBLE
from .registry import Site, dims_of, function


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


@function("torch.from_numpy")
def taken(site: Site, input: Value) -> Value | None:
    return input.holds if isinstance(input, Foreign) else None
