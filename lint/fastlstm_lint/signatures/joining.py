"""Joining and splitting: cat, stack, split, chunk, unbind."""

from __future__ import annotations

from ..dims import Dim
from ..values import Axis, Many, Part, Tensor, Tup, Value, dim_of, int_of, resolve
from .registry import Site, axis_number, function, tensor_op, unknown_size


def common(axes: list[Axis]) -> Axis:
    """One axis that several tensors share: the size and meaning that any of them knows."""
    first = axes[0]
    for axis in axes[1:]:
        if axis.size == first.size and axis.meaning != first.meaning:
            first = axis if all(word is None for word in first.meaning) else first
        elif axis.size != first.size and first.size.value is None and axis.size.value is not None:
            first = axis
    return first


@function("torch.cat", "torch.concat", "torch.concatenate", "torch.hstack")
def cat(site: Site, tensors: Value, dim: Value | None = None) -> Value | None:
    given = resolve(tensors)
    if isinstance(given, Many) and isinstance(item := resolve(given.item), Tensor):
        at = 0 if dim is None else axis_number(dim, item.rank)
        if at is None or site.name == "hstack":
            return None
        axes = list(item.axes)
        meaning = axes[at].meaning[0] if len(axes[at].parts) == 1 else None
        size = unknown_size("cat") if given.length is None else given.length * axes[at].size
        axes[at] = Axis.of(size, meaning)
        return Tensor(tuple(axes))
    items = [resolve(item) for item in given.items] if isinstance(given, Tup) else []
    found = [item for item in items if isinstance(item, Tensor)]
    if not found or len(found) != len(items) or len({item.rank for item in found}) != 1:
        return site.applied({"tensors": given}, None) if found else None
    rank = found[0].rank
    at = 0 if dim is None else axis_number(dim, rank)
    if site.name == "hstack":
        at = 0 if rank == 1 else 1
    if at is None:
        return None
    axes = [common([item.axes[i] for item in found]) for i in range(rank)]
    total = Dim.of(0)
    for item in found:
        total = total + item.axes[at].size
    meanings = {item.axes[at].meaning for item in found}
    words = meanings.pop() if len(meanings) == 1 else (None,)
    axes[at] = Axis.of(total, words[0] if len(words) == 1 else None)
    arguments = {"tensors": given} if dim is None else {"tensors": given, "dim": dim}
    return site.applied(arguments, Tensor(tuple(axes)))


@function("torch.stack")
def stack(site: Site, tensors: Value, dim: Value | None = None) -> Value | None:
    given = resolve(tensors)
    item = resolve(given.item) if isinstance(given, Many) else None
    if isinstance(given, Tup) and given.items:
        found = [resolve(each) for each in given.items]
        same = [each for each in found if isinstance(each, Tensor)]
        if len(same) == len(found) and len({each.rank for each in same}) == 1:
            item = Tensor(tuple(common([each.axes[i] for each in same]) for i in range(same[0].rank)))
    if not isinstance(item, Tensor):
        return None
    count = Dim.of(len(given.items)) if isinstance(given, Tup) else getattr(given, "length", None)
    at = 0 if dim is None else int_of(dim)
    if at is None or not -item.rank - 1 <= at <= item.rank:
        return None
    at %= item.rank + 1
    new = Axis.of(unknown_size("stack") if count is None else count)
    return Tensor((*item.axes[:at], new, *item.axes[at:]))


@tensor_op("chunk")
def chunk(site: Site, input: Value, chunks: Value, dim: Value | None = None) -> Value | None:
    count, source = int_of(chunks), resolve(input)
    if not isinstance(source, Tensor) or count is None or not 0 < count < 64:
        return None
    at = 0 if dim is None else axis_number(dim, source.rank)
    size = None if at is None else source.sizes[at].exact_div(count)
    if at is None or size is None:
        return None
    return Tup((_piece(source, at, size),) * count)


@tensor_op("split")
def split(site: Site, input: Value, split_size_or_sections: Value, dim: Value | None = None) -> Value | None:
    source, sections = resolve(input), resolve(split_size_or_sections)
    if not isinstance(source, Tensor):
        return None
    at = 0 if dim is None else axis_number(dim, source.rank)
    if at is None:
        return None
    if isinstance(sections, Tup):
        sizes = [dim_of(each) for each in sections.items]
        if all(size is not None for size in sizes):
            return Tup(tuple(_piece(source, at, size) for size in sizes if size is not None))
        return None
    size = dim_of(sections)
    count = None if size is None else source.sizes[at].exact_div(size)
    if size is None or count is None or count.value is None or not 0 < count.value < 64:
        return None if size is None else Many(_piece(source, at, size))
    return Tup((_piece(source, at, size),) * count.value)


def _piece(source: Tensor, at: int, size: Dim) -> Tensor:
    axes = list(source.axes)
    parts = axes[at].parts
    if len(parts) > 1 and parts[-1].size == size:
        # One direction's features, or one layer's rows.
        axes[at] = Axis((Part(size, parts[-1].meaning),))
    else:
        axes[at] = Axis.of(size, parts[0].meaning if len(parts) == 1 else None)
    return source.replaced(axes)


@tensor_op("unbind")
def unbind(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor) or not source.rank:
        return None
    at = 0 if dim is None else axis_number(dim, source.rank)
    if at is None:
        return None
    row = source.replaced((*source.axes[:at], *source.axes[at + 1 :]))
    count = source.sizes[at].value
    return Tup((row,) * count) if count is not None and count < 64 else Many(row, source.sizes[at])
