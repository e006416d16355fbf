"""Indexing and slicing."""

from __future__ import annotations

import libcst as cst

from fastlstm.contract import DIRECTION, FEATURE

from ..dims import Dim
from ..facts import Indexed
from ..values import NONE, Axis, Const, Num, Opaque, Part, Range, Tensor, Value, dim_of, int_of, resolve, tensor_of
from .caller import Caller
from .registry import Site, axis_number, tensor_op, unknown_size


def index_tensor(vm: Caller, node: cst.Subscript, source: Tensor, items: tuple[Value, ...]) -> Value:
    """`source[items]`, told to the rules."""
    items = tuple(resolve(item) for item in items)
    result = _indexed(source, items)
    vm.emit(Indexed(node, vm.where(), source, items, result))
    return result


def _indexed(source: Tensor, items: tuple[Value, ...]) -> Value:
    plain = [item for item in items if item != NONE and item != Const(...)]
    if len(plain) > source.rank:
        return Opaque("?")
    axes: list[Axis] = []
    at = 0
    whole = True
    advanced = 0
    for item in items:
        if item == Const(...):
            skip = source.rank - len(plain)
            axes.extend(source.axes[at : at + skip])
            at += skip
        elif item == NONE:
            axes.append(Axis.of(1))
        elif isinstance(item, Num):
            at += 1
        elif isinstance(item, Range):
            axes.append(sliced(source.axes[at], item))
            whole = whole and axes[-1] is source.axes[at]
            at += 1
        elif (picked := tensor_of(item)) is not None and picked.rank == 1 and not advanced:
            # A permutation or a choice of entries along one axis: its meaning stays.
            axis = source.axes[at]
            axes.append(Axis.of(picked.sizes[0], axis.meaning[0] if len(axis.parts) == 1 else None))
            advanced += 1
            at += 1
        else:
            return Opaque("?")
    axes.extend(source.axes[at:])
    return source.replaced(axes, source.origin)


def sliced(axis: Axis, item: Range) -> Axis:
    """An axis after `[start:stop:step]`. Half of a (direction, feature) axis is one direction's features."""
    if item.start is None and item.stop is None and item.step is None:
        return axis
    size = _slice_size(axis.size, item)
    if len(axis.parts) == 1:
        return Axis((Part(size, axis.parts[0].meaning),))
    if axis.means(DIRECTION, FEATURE) and item.step is None:
        half = axis.parts[1].size
        low, high = _bound(item.start), _bound(item.stop)
        if (item.start is None and high == half) or (low == half and item.stop is None):
            return Axis.of(half, FEATURE)
    if axis.meaning[-1:] == (DIRECTION,) and item.step is None and item.stop is None:
        low = _bound(item.start)
        if low is not None and low == -axis.parts[-1].size:
            return Axis((axis.parts[-1],))
    return Axis.of(size)


def _bound(value: Value | None) -> Dim | None:
    return None if value is None else dim_of(resolve(value))


def _slice_size(size: Dim, item: Range) -> Dim:
    step = int_of(item.step)
    if item.step is not None and step in (-1, None):
        return size if step == -1 and item.start is None and item.stop is None else unknown_size("slice")
    start = Dim.of(0) if item.start is None else _bound(item.start)
    stop = size if item.stop is None else _bound(item.stop)
    if start is None or stop is None or (step not in (None, 1)):
        return unknown_size("slice")
    low, high, whole = start.value, stop.value, size.value
    if low is not None and high is not None and whole is not None:
        return Dim.of(len(range(whole)[low:high]))
    if low is not None and low < 0 and item.stop is None:
        return Dim.of(-low)
    if high is not None and high < 0:
        return size + high - start
    return stop - start


@tensor_op("select")
def select(site: Site, input: Value, dim: Value, index: Value) -> Value | None:
    source = resolve(input)
    at = axis_number(dim, source.rank) if isinstance(source, Tensor) else None
    if not isinstance(source, Tensor) or at is None:
        return None
    return source.replaced((*source.axes[:at], *source.axes[at + 1 :]), source.origin)


@tensor_op("narrow")
def narrow(site: Site, input: Value, dim: Value, start: Value, length: Value) -> Value | None:
    source, size = resolve(input), dim_of(length)
    at = axis_number(dim, source.rank) if isinstance(source, Tensor) else None
    if not isinstance(source, Tensor) or at is None or size is None:
        return None
    axes = list(source.axes)
    axes[at] = Axis.of(size, axes[at].meaning[0] if len(axes[at].parts) == 1 else None)
    return source.replaced(axes)


@tensor_op("index_select")
def index_select(site: Site, input: Value, dim: Value, index: Value) -> Value | None:
    source, picked = resolve(input), tensor_of(resolve(index))
    at = axis_number(dim, source.rank) if isinstance(source, Tensor) else None
    if not isinstance(source, Tensor) or at is None:
        return None
    axes = list(source.axes)
    meaning = axes[at].meaning[0] if len(axes[at].parts) == 1 else None
    axes[at] = Axis.of(unknown_size("index") if picked is None else picked.sizes[0], meaning)
    return source.replaced(axes)


@tensor_op("gather", "take_along_dim")
def gather(site: Site, input: Value, dim: Value, index: Value) -> Value | None:
    picked = resolve(index)
    return Tensor(picked.axes) if isinstance(picked, Tensor) else None
