"""Reductions: sum, mean, max, argmax and their like."""

from __future__ import annotations

from ..dims import words
from ..tensors import CONTIGUOUS, GUESSED
from ..values import NONE, Axis, Const, Num, Opaque, Tensor, Tup, Value, dim_of, int_of, resolve
from . import dtypes
from .broadcast import combine
from .dtypes import BOOL, FLOAT, LONG
from .refusal import Refusal
from .registry import Site, axis_number, flag_value, tensor_op

FLOATING = words("mean std var norm")
"""Reductions of floating numbers only."""


def _reduce(site: Site, source: Tensor, dim: Value | None, keepdim: Value | None) -> Tensor | None:
    dtype = _dtype(site, source)
    traits = source.traits & {GUESSED}
    keep = flag_value(keepdim, False)
    given: list[Value] = []
    if isinstance(dim, Tup):
        given = [resolve(item) for item in dim.items]
    elif dim is not None and dim != NONE:
        given = [dim]
    if not given:
        if dim is None or site.name not in ("any", "all", "prod", "argmax", "argmin"):
            axes = tuple(Axis.of(1) for _ in source.axes) if keep and dim is not None else ()
            return Tensor(axes, None, traits, dtype, CONTIGUOUS) if keep is not None else None
        return None
    numbers = [axis_number(item, source.rank) for item in given]
    if site.name in ("amax", "amin", "argmax", "argmin"):
        for number in numbers:
            if number is not None and source.sizes[number].value == 0:
                raise Refusal("dim", f"{site.name}(): Expected reduction dim {number} to have non-zero size.")
    if not source.rank and len(given) > 1:  # both 0 and -1 are the only place there is
        raise Refusal("dim", "dim 0 appears multiple times in the list of dims")
    if any(number is None for number in numbers) or keep is None:
        return Tensor((), None, traits, dtype) if not source.rank else None
    for at, number in enumerate(numbers):
        if number in numbers[:at]:
            raise Refusal("dim", f"dim {number} appears multiple times in the list of dims")
    kept = [(Axis.of(1) if i in numbers else axis) for i, axis in enumerate(source.axes) if keep or i not in numbers]
    return Tensor(tuple(kept), None, source.traits, dtype, CONTIGUOUS)


def _dtype(site: Site, source: Tensor) -> str | None:
    """The element type of a reduction."""
    asked = site.dtype(source.dtype)
    if site.name in FLOATING and dtypes.is_whole(asked):
        word = dtypes.spoken(asked or "")
        sentence = {
            "mean": "mean(): could not infer output dtype. Input dtype must be either a floating "
            "point or complex dtype. "
            f"Got: {word}",
            "norm": f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {word}",
        }.get(site.name, "std and var only support floating point and complex dtypes")
        raise Refusal("dtype", sentence, sure=True)
    if site.name in ("any", "all"):
        return BOOL
    if site.name in ("argmax", "argmin"):
        if source.dtype == BOOL:
            raise Refusal("dtype", f"{site.name}(): does not support bool input", sure=True)
        return LONG
    if site.name in ("sum", "prod") and "dtype" not in site.keywords and dtypes.is_whole(source.dtype):
        return LONG
    return FLOAT if site.name == "logsumexp" and dtypes.is_whole(asked) else asked


@tensor_op("sum", "mean", "prod", "any", "all", "argmax", "argmin", "logsumexp", "amax", "amin")
def reduce(site: Site, input: Value, dim: Value | None = None, keepdim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    result = _reduce(site, source, dim, keepdim)
    return _told(site, source, dim, keepdim, result)


def _told(site: Site, source: Tensor, dim: Value | None, keepdim: Value | None, result: Value | None) -> Value | None:
    """The result; the rules hear of it where they ask about what is reduced."""
    if dim is None or not ("picked" in source.traits or (source.origin is not None and source.origin.role == "output")):
        return result
    given = {"input": source, "dim": dim}
    return site.applied(given if keepdim is None else {**given, "keepdim": keepdim}, result)


@tensor_op("std", "var", "norm")
def spread(site: Site, input: Value, dim: Value | None = None, keepdim: Value | None = None) -> Value | None:
    """Their second argument may be something else: `unbiased`, `correction`, the kind of norm."""
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    by_place = "dim" in site.nodes and "dim" not in site.keywords
    if (by_place and site.name == "norm") or isinstance(dim, Const) or (keepdim and "keepdim" not in site.keywords):
        return Opaque("?")
    return _reduce(site, source, dim, keepdim)


@tensor_op("max", "min", "median")
def extreme(site: Site, input: Value, dim: Value | None = None, keepdim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    other = None if dim is None else resolve(dim)
    if isinstance(other, Tensor) and site.name != "median":
        return combine(source, other, "maximum")
    if dim is None:
        if any(size.value == 0 for size in source.sizes) and site.name != "median":
            raise Refusal(
                "dim",
                f"{site.name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument.",
            )
        return Tensor((), None, source.traits & {GUESSED}, source.dtype, CONTIGUOUS)
    number = int_of(dim)
    if number is None:
        return None
    values = _reduce(site, source, dim, keepdim)
    if values is None:
        return None
    if source.rank and source.sizes[number % source.rank].value == 0:
        at = number % source.rank
        raise Refusal("dim", f"{site.name}(): Expected reduction dim {at} to have non-zero size.")
    return _told(site, source, dim, keepdim, Tup((values, values.typed(LONG, values.strides)), kind="named"))


@tensor_op("sort")
def sort(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if isinstance(dim, Num):
        axis_number(dim, source.rank)
    return Tup((source.typed(source.dtype), source.typed(LONG)), kind="named")


@tensor_op("topk")
def topk(site: Site, input: Value, k: Value, dim: Value | None = None) -> Value | None:
    source, count = resolve(input), dim_of(k)
    if not isinstance(source, Tensor) or count is None or not source.rank:
        return None
    at = source.rank - 1 if dim is None else axis_number(dim, source.rank)
    if at is None:
        return None
    number, size = count.value, source.sizes[at].value
    if number is not None and size is not None and not 0 <= number <= size:
        raise Refusal("dim", "selected index k out of range")
    values = source.replaced(Axis.of(count) if i == at else axis for i, axis in enumerate(source.axes))
    return Tup((values, values.typed(LONG)), kind="named")
