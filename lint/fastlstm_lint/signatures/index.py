"""Indexing and slicing."""

from __future__ import annotations

from .. import cst
from ..contract import DIRECTION, FEATURE
from ..dims import Dim
from ..facts import Indexed
from ..tensors import CONTIGUOUS
from ..values import (
    NONE,
    Axis,
    Const,
    Name,
    Num,
    Opaque,
    Part,
    Range,
    Tensor,
    Tup,
    Value,
    dim_of,
    int_of,
    resolve,
    tensor_of,
)
from . import dtypes, memory
from .caller import Caller
from .dtypes import BOOL
from .refusal import Refusal, differ, tell, text
from .registry import Site, axis_number, tensor_op, unknown_size
from .splitting import entry


def index_tensor(vm: Caller, node: cst.Subscript, source: Tensor, items: tuple[Value, ...]) -> Value:
    """`source[items]`, told to the rules."""
    items = tuple(_as_index(resolve(item)) for item in items)
    if len(items) == 1 and isinstance(only := items[0], Tup) and not only.is_list:
        items = tuple(_as_index(resolve(item)) for item in only.items)
    try:
        result = _indexed(source, items)
    except Refusal as refusal:
        return tell(vm, node, refusal, [("the tensor", node.value, source)])
    vm.emit(Indexed(node, vm.where(), source, items, result))
    return result


def place(vm: Caller, node: cst.Subscript, source: Tensor, items: tuple[Value, ...]) -> Value:
    """What `source[items] = ...` writes to."""
    try:
        return _indexed(source, tuple(_as_index(resolve(item)) for item in items))
    except Refusal as refusal:
        return tell(vm, node, refusal, [("the tensor", node.value, source)])


def _as_index(item: Value) -> Value:
    """A list of integers and a `range` index as a tensor of them does; `numpy.newaxis` is None."""
    if isinstance(item, Range) and not item.is_slice:
        return Tensor((Axis.of(unknown_size("range")),), None, frozenset(), dtypes.LONG, CONTIGUOUS)
    if isinstance(item, Name) and item.only in ("numpy.newaxis", "torch.newaxis"):
        return NONE
    if isinstance(item, Tup) and item.is_list and item.items:
        numbers = [int_of(resolve(each)) for each in item.items]
        if None not in numbers:
            contents = tuple(number for number in numbers if number is not None)
            return Tensor((Axis.of(len(contents)),), None, frozenset(), dtypes.LONG, CONTIGUOUS, contents)
    return item


def _indexed(source: Tensor, items: tuple[Value, ...]) -> Value:
    plain = 0
    for item in items:
        picked = tensor_of(item)
        if item not in (NONE, Const(...)) and not (isinstance(item, Const) and isinstance(item.value, bool)):
            plain += picked.rank if picked is not None and picked.dtype == BOOL else 1
        if isinstance(item, Const) and isinstance(item.value, float):
            raise Refusal(
                "dim",
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices",
            )
        if picked is not None and dtypes.is_float(picked.dtype):
            raise Refusal("dtype", "tensors used as indices must be long, int, byte or bool tensors", sure=True)
        if picked is None and not isinstance(item, (Num, Range, Const)):
            return Opaque("?")
    if not source.rank and any(isinstance(item, (Num, Range)) for item in items):
        sentence = (
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim tensor to a number"
        )
        if isinstance(next(item for item in items if isinstance(item, (Num, Range))), Range):
            sentence = "slice() cannot be applied to a 0-dim tensor."
        raise Refusal("dim", sentence)
    if plain > source.rank:
        raise Refusal("dim", f"too many indices for tensor of dimension {source.rank}")
    if any(isinstance(item, Const) and isinstance(item.value, bool) for item in items):
        return Opaque("?")
    strides = memory.strides_of(source)
    moved: list[int] | None = None if strides is None else []
    axes: list[Axis] = []
    at = 0
    picks: list[tuple[int, int, Tensor]] = []  # where in the result, which axis, by what
    for item in items:
        if item == Const(...):
            skip = source.rank - plain
            axes.extend(source.axes[at : at + skip])
            moved = None if moved is None or strides is None else [*moved, *strides[at : at + skip]]
            at += skip
        elif item == NONE:
            axes.append(Axis.of(1))
            if moved is not None and strides is not None:
                moved.append(strides[at] * (source.sizes[at].value or 1) if at < source.rank else 1)
        elif isinstance(item, Num):
            _check_index(source, at, item.dim)
            at += 1
        elif isinstance(item, Range):
            axes.append(sliced(source.axes[at], item))
            if moved is not None and strides is not None:
                step = 1 if item.step is None else int_of(resolve(item.step))
                moved = None if step is None else [*moved, strides[at] * step]
            at += 1
        elif (picked := tensor_of(item)) is not None:
            picks.append((len(axes), at, picked))
            if picked.dtype == BOOL:
                _check_mask(source, at, picked)
                axes.append(Axis.of(unknown_size("mask")))
                at += picked.rank
            else:
                axes.append(source.axes[at])
                at += 1
        else:
            return Opaque("?")
    axes.extend(source.axes[at:])
    if picks and any(axis.size == 0 for axis in axes):
        return Opaque("?")  # nothing is picked, and torch looks at no entry
    for _, place, picked in picks:
        if picked.dtype != BOOL:
            _check_entries(source, place, picked)
    if picks:
        return _picked(source, axes, picks)
    rest = None if moved is None or strides is None else (*moved, *strides[at:])
    whole = source.strides == CONTIGUOUS and all(item in (NONE, Const(...)) for item in items)
    return source.replaced(axes, source.origin, strides=CONTIGUOUS if whole else rest)


def _check_index(source: Tensor, at: int, index: Dim) -> None:
    number, size = index.value, source.sizes[at].value
    if number is not None and size is not None and not -size <= number < size:
        raise Refusal("dim", f"index {number} is out of bounds for dimension {at} with size {size}")


def _check_entries(source: Tensor, at: int, picked: Tensor) -> None:
    size = source.sizes[at].value
    for number in picked.contents or ():
        if size is not None and not -size <= number < size:
            raise Refusal("dim", f"index {number} is out of bounds for dimension {at} with size {size}")


def _check_mask(source: Tensor, at: int, mask: Tensor) -> None:
    for i, size in enumerate(mask.sizes):
        if at + i < source.rank and differ(size, source.sizes[at + i]):
            raise Refusal(
                "dim",
                f"The shape of the mask {text(mask.sizes)} at index {i} does not match the shape of the indexed tensor "
                f"{text(source.sizes)} at index {at + i}",
            )


def _picked(source: Tensor, axes: list[Axis], picks: list[tuple[int, int, Tensor]]) -> Value:
    """The result of an index with tensors: they are broadcast, and their axes stand where the first of them stood."""
    if len(picks) == 1:
        place, at, picked = picks[0]
        axis = source.axes[at]
        if picked.dtype == BOOL:
            return source.replaced(axes)
        # A permutation or a choice of entries along one axis: its meaning stays.
        word = axis.meaning[0] if len(axis.parts) == 1 else None
        chosen = [Axis.of(size, word if picked.rank == 1 else None) for size in picked.sizes]
        origin = source.origin if picked.rank == 1 else None
        return source.replaced((*axes[:place], *chosen, *axes[place + 1 :]), origin)
    if any(picked.dtype in (None, BOOL) for _, _, picked in picks):
        return Opaque("?")
    result: list[Axis] = []
    tensors = [picked for _, _, picked in picks]
    rank = max(picked.rank for picked in tensors)
    for i in range(rank, 0, -1):
        sizes = [picked.sizes[-i] for picked in tensors if picked.rank >= i and picked.sizes[-i] != 1]
        if any(differ(a, b) and differ(a, 1) and differ(b, 1) for a in sizes[:1] for b in sizes[1:]):
            shapes = ", ".join(text(picked.sizes) for picked in tensors)
            raise Refusal(
                "broadcast", f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
            )
        result.append(Axis.of(sizes[0] if sizes else Dim.of(1)))
    places = [place for place, _, _ in picks]
    rest = [axis for i, axis in enumerate(axes) if i not in places]
    front = places[0] if places == list(range(places[0], places[0] + len(places))) else 0
    return source.replaced((*rest[:front], *result, *rest[front:]))


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
    step = 1 if item.step is None else int_of(resolve(item.step))
    if step is None:
        return unknown_size("slice")
    if step < 1:
        raise Refusal("dim", "slice step cannot be zero" if not step else "step must be greater than zero")
    start = Dim.of(0) if item.start is None or item.start == NONE else _bound(item.start)
    stop = size if item.stop is None or item.stop == NONE else _bound(item.stop)
    if start is None or stop is None:
        return unknown_size("slice")
    low, high, whole = start.value, stop.value, size.value
    if low is not None and high is not None and whole is not None:
        return Dim.of(len(range(whole)[low:high:step]))
    if step != 1:
        return unknown_size("slice")
    if low is not None and low < 0 and item.stop is None:
        return Dim.of(-low)
    if high is not None and high < 0:
        return size + high - start
    return stop - start


@tensor_op("select")
def select(site: Site, input: Value, dim: Value, index: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if not source.rank:
        raise Refusal("dim", "select() cannot be applied to a 0-dim tensor.")
    at, number = axis_number(dim, source.rank), int_of(index)
    if at is None:
        return None
    size = source.sizes[at].value
    if number is not None and size is not None and not -size <= number < size:
        sizes = text(source.sizes)
        raise Refusal("dim", f"select(): index {number} out of range for tensor of size {sizes} at dimension {at}")
    return entry(source, at).replaced((*source.axes[:at], *source.axes[at + 1 :]), source.origin)


@tensor_op("narrow")
def narrow(site: Site, input: Value, dim: Value, start: Value, length: Value) -> Value | None:
    source, size = resolve(input), dim_of(length)
    if not isinstance(source, Tensor):
        return None
    if not source.rank:
        raise Refusal("dim", "narrow() cannot be applied to a 0-dim tensor.")
    at = axis_number(dim, source.rank)
    if at is None or size is None:
        return None
    whole, first, count = source.sizes[at].value, int_of(start), size.value
    if whole is not None and first is not None and count is not None:
        if not -whole <= first <= whole:
            raise Refusal(
                "dim", f"start out of range (expected to be in range of [{-whole}, {whole}], but got {first})"
            )
        first += whole if first < 0 else 0
        if count < 0 or first + count > whole:
            raise Refusal("dim", f"start ({first}) + length ({count}) exceeds dimension size ({whole}).")
    axes = list(source.axes)
    axes[at] = Axis.of(size, axes[at].meaning[0] if len(axes[at].parts) == 1 else None)
    return source.replaced(axes, strides=memory.strides_of(source))


@tensor_op("index_select")
def index_select(site: Site, input: Value, dim: Value, index: Value) -> Value | None:
    source, picked = resolve(input), tensor_of(resolve(index))
    if not isinstance(source, Tensor):
        return None
    at = axis_number(dim, source.rank)
    if picked is not None and picked.rank > 1:
        raise Refusal("dim", "index_select(): Index is supposed to be a vector", picked)
    if not source.rank:
        if picked is not None and picked.rank == 1 and differ(picked.sizes[0], 1):
            count = picked.sizes[0]
            raise Refusal("dim", f"index_select(): Index to scalar can have only 1 value, got {count} value(s)")
        return source
    if picked is not None and picked.dtype not in (None, "int32", dtypes.LONG):
        raise Refusal("dtype", "index_select(): Expected dtype int32 or int64 for index", picked)
    if at is None:
        return None
    size = source.sizes[at].value
    for number in () if picked is None or size is None else picked.contents or ():
        if not 0 <= number < (size or 0):
            raise Refusal("dim", f"INDICES element is out of DATA bounds, id={number} axis_dim={size}")
    axes = list(source.axes)
    meaning = axes[at].meaning[0] if len(axes[at].parts) == 1 else None
    count = unknown_size("index") if picked is None else picked.sizes[0] if picked.rank else Dim.of(1)
    axes[at] = Axis.of(count, meaning)
    return source.replaced(axes, strides=CONTIGUOUS)


@tensor_op("gather")
def gather(site: Site, input: Value, dim: Value, index: Value) -> Value | None:
    source, picked = resolve(input), resolve(index)
    if not isinstance(picked, Tensor):
        return None
    if isinstance(source, Tensor):
        at = axis_number(dim, source.rank)
        if picked.dtype not in (None, "int32", dtypes.LONG):
            raise Refusal("dtype", "gather(): Expected dtype int32/int64 for index", picked)
        empty = any(size.value == 0 for size in picked.sizes)
        if max(source.rank, 1) != max(picked.rank, 1) and not empty:
            raise Refusal("dim", "Index tensor must have the same number of dimensions as input tensor")
        for i, (own, asked) in enumerate(zip(source.sizes, picked.sizes, strict=False)):
            if at is not None and i != at and not empty and own.value is not None and (asked.value or 0) > own.value:
                raise Refusal(
                    "dim",
                    f"Size does not match at dimension {i} expected index {text(picked.sizes)} to be "
                    "no larger than self "
                    f"{text(source.sizes)} apart from dimension {at}",
                )
        if at is not None and picked.contents is not None:
            _check_entries(source, at, picked)
    dtype = source.dtype if isinstance(source, Tensor) else None
    return Tensor(picked.axes, None, frozenset(), dtype, CONTIGUOUS)
