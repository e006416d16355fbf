"""Splitting tensors: split, chunk, unbind, and what unpacking or a loop takes from one."""

from __future__ import annotations

from ..dims import Dim
from ..tensors import GUESSED
from ..values import Axis, Many, Part, Tensor, Tup, Value, dim_of, int_of, resolve
from . import memory
from .refusal import Refusal, differ, text
from .registry import Site, axis_number, tensor_op, unknown_size

FEW = 64
"""Pieces up to which a result is a tuple of its own."""


@tensor_op("chunk")
def chunk(site: Site, input: Value, chunks: Value, dim: Value | None = None) -> Value | None:
    count, source = int_of(chunks), resolve(input)
    if not isinstance(source, Tensor) or count is None:
        return None
    if not source.rank:
        raise Refusal("parts", "chunk expects at least a 1-dimensional tensor")
    if count <= 0:
        raise Refusal("parts", f"chunk expects `chunks` to be greater than 0, got: {count}")
    at = 0 if dim is None else axis_number(dim, source.rank)
    if at is None or count >= FEW:
        return None
    whole = source.sizes[at].value
    if whole is not None:
        size = -(-whole // count)
        return _in_pieces(source, at, [size] * count if not size else _cut(whole, size))
    size_each = source.sizes[at].exact_div(count)
    return None if size_each is None else Tup((piece(source, at, size_each),) * count)


def _cut(whole: int, size: int) -> list[int]:
    """The sizes of the pieces: all of `size`, but for what is left at the end."""
    return [min(size, whole - start) for start in range(0, whole, size)] or [0]


def _in_pieces(source: Tensor, at: int, sizes: list[int]) -> Value:
    if len(sizes) >= FEW:
        return Many(piece(source, at, unknown_size("piece")), Dim.of(len(sizes)))
    return Tup(tuple(piece(source, at, Dim.of(size)) for size in sizes))


@tensor_op("split")
def split(
    site: Site,
    input: Value,
    split_size: Value | None = None,
    dim: Value | None = None,
    split_size_or_sections: Value | None = None,
) -> Value | None:
    source, sections = resolve(input), split_size or split_size_or_sections
    if not isinstance(source, Tensor) or sections is None:
        return None
    sections = resolve(sections)
    if not source.rank:
        raise Refusal("parts", "split expects at least a 1-dimensional tensor")
    at = 0 if dim is None else axis_number(dim, source.rank)
    if at is None:
        return None
    whole = source.sizes[at]
    if isinstance(sections, Tup):
        sizes = [dim_of(each) for each in sections.items]
        known = [size for size in sizes if size is not None]
        if any(size.value is not None and size.value < 0 for size in known):
            sentence = "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes="
            raise Refusal("parts", sentence + text(sizes))
        if len(known) != len(sizes):
            return None
        if differ(sum(known, Dim.of(0)), whole):
            raise Refusal(
                "parts",
                f"split_with_sizes expects split_sizes to sum exactly to {whole} (input tensor's size "
                f"at dimension {at}), "
                f"but got split_sizes={text(sizes)}",
            )
        return Tup(tuple(piece(source, at, size) for size in known))
    size = dim_of(sections)
    if size is None:
        return None
    if size.value is not None and whole.value is not None:
        if size.value < 0:
            raise Refusal("parts", f"split expects split_size be non-negative, but got split_size={size}")
        if size.value == 0 and whole.value:
            raise Refusal(
                "parts", f"split_size can only be 0 if dimension size is 0, but got dimension size of {whole}"
            )
        return _in_pieces(source, at, _cut(whole.value, size.value) if size.value else [0])
    count = whole.exact_div(size)
    if count is not None and count.value is not None and 0 < count.value < FEW:
        return Tup((piece(source, at, size),) * count.value)
    return Many(piece(source, at, size if count is not None else unknown_size("piece")), count)


def piece(source: Tensor, at: int, size: Dim) -> Tensor:
    """A stretch of `size` entries of axis `at`."""
    axes = list(source.axes)
    parts = axes[at].parts
    if len(parts) > 1 and parts[-1].size == size:
        # One direction's features, or one layer's rows.
        axes[at] = Axis((Part(size, parts[-1].meaning),))
    else:
        axes[at] = Axis.of(size, parts[0].meaning if len(parts) == 1 else None)
    return source.replaced(axes, strides=memory.strides_of(source))


def entry(source: Tensor, at: int = 0) -> Tensor:
    """One entry of axis `at`, without that axis."""
    strides = memory.strides_of(source)
    rest = None if strides is None else (*strides[:at], *strides[at + 1 :])
    return source.replaced((*source.axes[:at], *source.axes[at + 1 :]), strides=rest)


@tensor_op("unbind")
def unbind(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if not source.rank:
        raise Refusal("dim", "Dimension specified as 0 but tensor has no dimensions")
    at = 0 if dim is None else axis_number(dim, source.rank)
    if at is None:
        return None
    count = source.sizes[at].value
    row = entry(source, at)
    return Tup((row,) * count) if count is not None and count < FEW else Many(row, source.sizes[at])


def unpacked(value: Value, count: int, starred: bool) -> None:
    """`a, b = value`: as many items as names, or at least as many as the names without the starred one."""
    value = resolve(value)
    if isinstance(value, Tensor):
        if not value.rank:
            raise Refusal("parts", "iteration over a 0-d tensor", value)
        length = value.sizes[0]
        if GUESSED in value.traits:
            return
    elif isinstance(value, Tup):
        length = Dim.of(len(value.items))
    elif isinstance(value, Many) and value.length is not None:
        length = value.length
    else:
        return
    number = length.value
    fewer = number is not None and number < count
    if starred:
        if fewer:
            raise Refusal("parts", f"not enough values to unpack (expected at least {count}, got {number})", value)
    elif differ(length, count):
        if number is None or number > count:
            raise Refusal("parts", f"too many values to unpack (expected {count})", value)
        raise Refusal("parts", f"not enough values to unpack (expected {count}, got {number})", value)
