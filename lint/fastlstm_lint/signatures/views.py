"""Changes of view: view, reshape, flatten, squeeze, transpose and their like.

A reshape regroups parts in memory order.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ..dims import Dim, product
from ..facts import Viewed
from ..values import Axis, Inserted, Num, Opaque, Part, SizesOf, Swapped, Tensor, Tup, Value, int_of, resolve
from .registry import Site, axis_number, dims_of, function, method, tensor_op, unknown_size


def regroup(parts: Sequence[Part], target: Sequence[Dim]) -> tuple[Axis, ...] | None:
    """The axes that `target` makes of parts in memory order, or None where a size cuts across parts."""
    rest = [part for part in parts if part.size != 1]
    axes: list[Axis] = []
    for size in target:
        taken: list[Part] = []
        need = size
        while need != 1:
            if not rest:
                return None
            part = rest.pop(0)
            if (left := need.exact_div(part.size)) is not None:
                taken.append(part)
                need = left
            elif (inner := part.size.exact_div(need)) is not None:
                taken.append(Part(need, part.meaning))
                rest.insert(0, Part(inner, part.meaning))
                need = Dim.of(1)
            else:
                return None
        axes.append(Axis(tuple(taken)) if taken else Axis.of(1))
    return None if rest else tuple(axes)


def infer(total: Dim, target: Sequence[Dim | None]) -> tuple[Dim | None, ...]:
    """The sizes asked for with -1 worked out; None where an entry is not known."""
    holes = [i for i, size in enumerate(target) if size is not None and size == -1]
    sizes = list(target)
    if len(holes) == 1:
        others = [size for i, size in enumerate(target) if i != holes[0]]
        known = [size for size in others if size is not None]
        sizes[holes[0]] = total.exact_div(product(known)) if len(known) == len(others) else None
    return tuple(sizes)


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
    source = resolve(input)
    if not isinstance(source, Tensor):
        if isinstance(input, Opaque) and any(size is not None for size in target):
            if any(size is not None and size == input.size(0) for size in target[1:]):
                # Of an unknown rank, but its first axis is asked for behind another.
                front = Tensor(
                    (
                        Axis.of(input.size(0)),
                        Axis.of(unknown_size("...")),
                    )
                )
                site.emit(Viewed, site.node, site.node, site.name, front, tuple(target), Opaque("?"), _receiver(site))
            known = [unknown_size(site.name) if size is None or size == -1 else size for size in target]
            return Tensor(tuple(Axis.of(size) for size in known))
        return None
    return viewed(site, source, target)


def viewed(site: Site, source: Tensor, target: Sequence[Dim | None]) -> Value:
    """The result of a reshape, told to the rules."""
    sizes = infer(product(source.sizes), target)
    full = [size for size in sizes if size is not None]
    axes = None
    if len(full) == len(sizes):
        axes = regroup([part for axis in source.axes for part in axis.parts], full)
    if axes is None:
        axes = tuple(Axis.of(unknown_size(site.name) if size is None else size) for size in sizes)
        result = source.replaced(axes)
    else:
        result = source.replaced(axes, source.origin)
    site.emit(Viewed, site.node, site.node, site.name, source, sizes, result, _receiver(site))
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


@method("repeat", variadic=True)
def repeat(site: Site, input: Value, sizes: Value) -> Value | None:
    times = dims_of(sizes)
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
        else:
            axes.append(Axis.of(unknown_size() if count is None else own.size * count))
    return source.replaced(axes)


@method("size")
def size(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if isinstance(source, Tensor):
        if dim is None:
            return Tup(tuple(Num(each) for each in source.sizes), kind="shape")
        at = axis_number(dim, source.rank)
        return None if at is None else Num(source.sizes[at])
    if not isinstance(source, Opaque):
        return None
    number = int_of(dim)
    if dim is None:
        return SizesOf(source)
    return None if number is None else Num(source.size(number))


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
