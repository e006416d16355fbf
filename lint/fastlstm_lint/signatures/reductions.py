"""Reductions: sum, mean, max, argmax and their like."""

from __future__ import annotations

from ..values import Axis, Tensor, Tup, Value, dim_of, int_of, resolve
from .registry import Site, axis_number, flag_value, tensor_op


def _reduce(site: Site, source: Tensor, dim: Value | None, keepdim: Value | None) -> Tensor | None:
    if dim is None:
        return Tensor(())
    keep = flag_value(keepdim, False)
    given = [resolve(item) for item in dim.items] if isinstance(dim, Tup) else [dim]
    numbers = [axis_number(item, source.rank) for item in given]
    if any(number is None for number in numbers) or keep is None:
        return None
    if keep:
        return source.replaced(Axis.of(1) if i in numbers else axis for i, axis in enumerate(source.axes))
    return source.replaced(axis for i, axis in enumerate(source.axes) if i not in numbers)


@tensor_op("sum", "mean", "prod", "std", "var", "norm", "argmax", "argmin", "any", "all", "logsumexp", "amax", "amin")
def reduce(site: Site, input: Value, dim: Value | None = None, keepdim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if site.name == "norm" and site.positional == 1 and "dim" in site.nodes:
        return None
    result = _reduce(site, source, dim, keepdim)
    if "picked" in source.traits and dim is not None:
        return site.applied({"input": source, "dim": dim}, result)
    return result


@tensor_op("max", "min", "median")
def extreme(site: Site, input: Value, dim: Value | None = None, keepdim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if dim is None:
        return Tensor(())
    if int_of(dim) is None:
        return None
    values = _reduce(site, source, dim, keepdim)
    return None if values is None else Tup((values, Tensor(values.axes)))


@tensor_op("sort")
def sort(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    return Tup((source, source)) if isinstance(source, Tensor) else None


@tensor_op("topk")
def topk(site: Site, input: Value, k: Value, dim: Value | None = None) -> Value | None:
    source, count = resolve(input), dim_of(k)
    if not isinstance(source, Tensor) or count is None or not source.rank:
        return None
    at = source.rank - 1 if dim is None else axis_number(dim, source.rank)
    if at is None:
        return None
    values = source.replaced(Axis.of(count) if i == at else axis for i, axis in enumerate(source.axes))
    return Tup((values, values))
