"""Changes of view: view, reshape, flatten, squeeze, transpose and their like."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ..dims import Dim, product
from ..facts import Viewed
from ..naming import TIME_NAMES, names_of
from ..tensors import COPIES, NOTHING
from ..values import Axis, Inserted, Num, Opaque, Part, SizesOf, Swapped, Tensor, Tup, Value, dim_of, int_of, resolve
from .registry import Site, axis_number, dims_of, function, method, tensor_op, unknown_size
from .regroup import infer, moved_axes, regroup


@method("view", "reshape", variadic=True)
def view(site: Site, input: Value, shape: Value) -> Value | None:
    return _view(site, input, shape)


@function("torch.reshape")
def reshape(site: Site, input: Value, shape: Value | None = None) -> Value | None:
    return _view(site, input, shape)


def _view(site: Site, input: Value, shape: Value | None) -> Value | None:
    if isinstance(shape, SizesOf):
        return Opaque("?")
    target = dims_of(shape)
    if target is None:
        return None
    if isinstance(input, Opaque) and input.settled is None and (rank := named_rank(input, target)) is not None:
        input.as_tensor(rank)
    source = resolve(input)
    if isinstance(source, Tensor):
        items = shape.items if isinstance(shape, Tup) else (shape,)
        return viewed(site, source, target, [item.axis if isinstance(item, Num) else None for item in items])
    if not isinstance(input, Opaque) or all(size is None for size in target):
        return None
    known = [unknown_size(site.name) if size is None or size == -1 else size for size in target]
    traits = frozenset({"led"} if samples_lead(target, input.measured().get(0)) else ())
    result = Tensor(tuple(Axis.of(size) for size in known), None, traits)
    front = _front(input, target)
    moved = () if front is None else moved_axes(front, [None if size == -1 else size for size in target])
    if front is not None:
        if moved:
            result = Tensor(tuple(Axis((Part(size, NOTHING),)) for size in known))
        site.emit(Viewed, site.node, site.node, site.name, front, tuple(target), result, _receiver(site), moved)
    return result


def named_rank(input: Opaque, target: Sequence[Dim | None]) -> int | None:
    """The number of axes of an unknown that is reshaped to its own axes, each named once, and to axes of size 1."""
    by_size = {size: index for index, size in input.measured().items()}
    named = [by_size.get(size) for size in target if size is not None and size != 1]
    if len(named) < 2 or None in named or any(size is None for size in target):
        return None
    rank = len(named)
    places = {index % rank for index in named if index is not None and -rank <= index < rank}
    return rank if len(places) == rank else None


def _front(input: Opaque, target: Sequence[Dim | None]) -> Tensor | None:
    """The axes of an unknown up to the last one that a reshape names, and the rest as one; None if it names none.

    An axis in front of it that is not named may be of size 1, unless it is what a -1 in the middle stands for.
    """
    measured = {index: size for index, size in input.measured().items() if index >= 0}
    named = {index for index, size in measured.items() if size in target}
    if not named or list(target).count(None) or (named == {0} and target[0] == measured[0]):
        return None
    middle = any(size is not None and size == -1 for size in target[:-1])
    lead = [Axis.of(input.size(index)) if index in named or middle else Axis.of(1) for index in range(max(named) + 1)]
    return Tensor((*lead, Axis.of(unknown_size("..."))))


def samples_lead(target: Sequence[Dim | None], first: Dim | None) -> bool:
    """Whether a view to three axes is written for the batch in front: `(-1, 25, 16)`, `(x.size(0), 25, 16)`."""
    lead, second = (target[0], target[1]) if len(target) == 3 else (None, None)
    if lead is None or second is None or not (lead == -1 or (lead == first and lead.value is None)):
        return False
    return (second.value or 0) > 1 or not names_of(second).isdisjoint(TIME_NAMES)


def viewed(site: Site, source: Tensor, target: Sequence[Dim | None], read: Sequence[Axis | None] = ()) -> Value:
    """The result of a reshape, told to the rules. `read` are the axes whose sizes the program wrote as the target."""
    sizes = infer(product(source.sizes), target)
    full = [size for size in sizes if size is not None]
    axes = None
    if len(full) == len(sizes):
        axes = regroup([part for axis in source.axes for part in axis.parts], full)
    moved: tuple[int, ...] = ()
    if axes is None or (sizes != source.sizes and any(axis is not None for axis in read)):
        hole = next((i for i, size in enumerate(target) if size is not None and size == -1), None)
        moved = moved_axes(source, sizes, read, hole, site.vm.where().small)
    if axes is None or moved:
        word = NOTHING if moved else None
        axes = tuple(Axis((Part(unknown_size(site.name) if size is None else size, word),)) for size in sizes)
        led = (
            frozenset({"led"}) if not moved and samples_lead(target, source.sizes[0] if source.rank else None) else None
        )
        result = source.replaced(axes, None, source.traits | led if led else None)
    else:
        result = source.replaced(axes, source.origin)
    site.emit(Viewed, site.node, site.node, site.name, source, sizes, result, _receiver(site), moved)
    return result


def _receiver(site: Site) -> cst.BaseExpression:
    """The expression of what is reshaped, as a method's receiver or as a function's first argument."""
    func = site.node.func
    if isinstance(func, cst.Attribute) and "input" not in site.nodes:
        return func.value
    return site.nodes.get("input") or site.node


@tensor_op("flatten")
def flatten(site: Site, input: Value, start_dim: Value | None = None, end_dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    start = 0 if start_dim is None else axis_number(start_dim, source.rank)
    end = source.rank - 1 if end_dim is None else axis_number(end_dim, source.rank)
    if start is None or end is None or start > end:
        return None
    sizes = source.sizes
    return viewed(site, source, [*sizes[:start], product(sizes[start : end + 1]), *sizes[end + 1 :]])


@tensor_op("unflatten")
def unflatten(site: Site, input: Value, dim: Value, sizes: Value) -> Value | None:
    source, inner = resolve(input), dims_of(sizes)
    at = axis_number(dim, source.rank) if isinstance(source, Tensor) else None
    if not isinstance(source, Tensor) or at is None or inner is None:
        return None
    whole = infer(source.sizes[at], inner)
    return viewed(site, source, [*source.sizes[:at], *whole, *source.sizes[at + 1 :]])


@tensor_op("squeeze")
def squeeze(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    arguments = {"input": source} if dim is None else {"input": source, "dim": dim}
    if not isinstance(source, Tensor):
        return None
    if dim is None:
        sure = all(size.value is not None for size in source.sizes)
        axes = tuple(axis for axis in source.axes if axis.size != 1)
        return site.applied(arguments, source.replaced(axes, source.origin) if sure else None)
    at = axis_number(dim, source.rank)
    if at is None or source.sizes[at].value is None:
        return site.applied(arguments, None)
    axes = source.axes if source.sizes[at] != 1 else (*source.axes[:at], *source.axes[at + 1 :])
    return site.applied(arguments, source.replaced(axes, source.origin))


@tensor_op("unsqueeze")
def unsqueeze(site: Site, input: Value, dim: Value) -> Value | None:
    source, at = resolve(input), int_of(dim)
    if isinstance(source, Opaque) and at is not None:
        return Inserted(source, at)
    if not isinstance(source, Tensor) or at is None or not -source.rank - 1 <= at <= source.rank:
        return None
    at %= source.rank + 1
    return source.replaced((*source.axes[:at], Axis.of(1), *source.axes[at:]))


@tensor_op("transpose", "swapaxes", "swapdims")
def transpose(site: Site, input: Value, dim0: Value, dim1: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        i, j = int_of(dim0), int_of(dim1)
        return Swapped(source, i, j) if isinstance(source, Opaque) and i is not None and j is not None else None
    a, b = axis_number(dim0, source.rank), axis_number(dim1, source.rank)
    if a is None or b is None:
        return None
    axes = list(source.axes)
    axes[a], axes[b] = axes[b], axes[a]
    return site.applied({"input": source}, source.replaced(axes, source.origin))


@tensor_op("t")
def t(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if isinstance(source, Opaque):
        settled = source.as_tensor(2)
        source = source if settled is None else settled
    return source.replaced(source.axes[::-1], source.origin) if isinstance(source, Tensor) else None


@method("permute", variadic=True)
def permute(site: Site, input: Value, dims: Value) -> Value | None:
    return _permute(site, input, dims)


@function("torch.permute")
def permute_function(site: Site, input: Value, dims: Value) -> Value | None:
    return _permute(site, input, dims)


@tensor_op("movedim", "moveaxis")
def movedim(site: Site, input: Value, source: Value, destination: Value) -> Value | None:
    tensor = resolve(input)
    if not isinstance(tensor, Tensor):
        return None
    a, b = axis_number(source, tensor.rank), axis_number(destination, tensor.rank)
    if a is None or b is None:
        return None
    axes = list(tensor.axes)
    axes.insert(b, axes.pop(a))
    return tensor.replaced(axes, tensor.origin)


def _permute(site: Site, input: Value, dims: Value) -> Value | None:
    order = [int_of(item) for item in dims.items] if isinstance(dims, Tup) else []
    if not order or any(i is None for i in order):
        return None
    if isinstance(input, Opaque):
        input.as_tensor(len(order))
    source = resolve(input)
    if not isinstance(source, Tensor) or source.rank != len(order):
        return None
    at = [axis_number(Num(Dim.of(i)), source.rank) for i in order if i is not None]
    if any(i is None for i in at) or len(set(at)) != source.rank:
        return None
    return source.replaced((source.axes[i] for i in at if i is not None), source.origin)


@tensor_op("expand", "broadcast_to", variadic=True)
def expand(site: Site, input: Value, sizes: Value) -> Value | None:
    source, target = resolve(input), dims_of(sizes)
    if not isinstance(source, Tensor) or target is None or len(target) < source.rank:
        return None
    axes: list[Axis] = []
    lead = len(target) - source.rank
    for i, size in enumerate(target):
        own = source.axes[i - lead] if i >= lead else None
        if own is not None and (size is None or size == -1 or own.size != 1):
            axes.append(own)
        else:
            axes.append(Axis.of(unknown_size() if size is None else size))
    return source.replaced(axes)


@method("repeat", "tile", variadic=True)
def repeat(site: Site, input: Value, sizes: Value) -> Value | None:
    times = dims_of(sizes)
    if isinstance(input, Opaque) and times is not None:
        input.as_tensor(len(times))  # fewer axes are possible, hardly ever meant
    source = resolve(input)
    if not isinstance(source, Tensor) or times is None or len(times) < source.rank:
        return None
    axes: list[Axis] = []
    lead = len(times) - source.rank
    for i, count in enumerate(times):
        own = source.axes[i - lead] if i >= lead else Axis.of(1)
        if count == 1:
            axes.append(own)
        elif own.size == 1 and count is not None:
            axes.append(Axis.of(count))
        elif count is None:
            axes.append(Axis.of(unknown_size()))
        else:
            axes.append(Axis((Part(count, COPIES), *own.parts)))
    return source.replaced(axes)


@tensor_op("repeat_interleave")
def repeat_interleave(site: Site, input: Value, repeats: Value, dim: Value | None = None) -> Value | None:
    source, count = resolve(input), dim_of(resolve(repeats))
    at = axis_number(dim, source.rank) if isinstance(source, Tensor) else None
    if not isinstance(source, Tensor) or at is None:
        return None
    axes = list(source.axes)
    axes[at] = Axis.of(unknown_size()) if count is None else Axis((*axes[at].parts, Part(count)))
    return source.replaced(axes)


@method("size")
def size(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if isinstance(source, Tensor):
        if dim is None:
            return Tup(tuple(Num(axis.size, axis) for axis in source.axes), kind="shape")
        at = axis_number(dim, source.rank)
        return None if at is None else Num(source.sizes[at], source.axes[at])
    if not isinstance(source, Opaque):
        return None
    number = int_of(dim)
    if dim is None:
        return SizesOf(source)
    return None if number is None else Num(size := source.size(number), Axis.of(size))


@method("dim", "ndimension")
def dim(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    return Num(Dim.of(source.rank)) if isinstance(source, Tensor) else None


@method("numel", "nelement")
def numel(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    return Num(product(source.sizes)) if isinstance(source, Tensor) else None


@method("view_as", "reshape_as", "expand_as")
def view_as(site: Site, input: Value, other: Value) -> Value | None:
    model = resolve(other)
    return Tensor(tuple(Axis.of(each) for each in model.sizes)) if isinstance(model, Tensor) else None
