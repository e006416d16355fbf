"""Tensors made larger by repetition, and questions about sizes."""

from __future__ import annotations

from ..dims import Dim, product
from ..tensors import CONTIGUOUS, COPIES
from ..values import Axis, Num, Opaque, Part, SizesOf, Tensor, Tup, Value, dim_of, int_of, resolve
from . import memory
from .refusal import Refusal, differ, text
from .registry import Site, axis_number, dims_of, method, tensor_op, unknown_size
from .views import check_count


@tensor_op("expand", "broadcast_to", variadic=True)
def expand(site: Site, input: Value, sizes: Value) -> Value | None:
    source, target = resolve(input), dims_of(sizes)
    if not isinstance(source, Tensor) or target is None:
        return None
    lead = len(target) - source.rank
    if lead < 0:
        raise Refusal(
            "broadcast",
            f"expand(torch.FloatTensor{{{text(source.sizes)}}}, size={text(target)}): the number of sizes provided "
            f"({len(target)}) must be greater or equal to the number of dimensions in the tensor ({source.rank})",
            source,
        )
    axes: list[Axis] = []
    known = memory.strides_of(source)
    strides: list[int] = []
    for i, size in enumerate(target):
        own = source.axes[i - lead] if i >= lead else None
        step = 0 if known is None or own is None else known[i - lead]
        if own is None and size == -1:
            sentence = f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}"
            raise Refusal("broadcast", sentence, source)
        if own is not None and size is not None and size != -1 and differ(own.size, 1) and differ(own.size, size):
            raise Refusal(
                "broadcast",
                f"The expanded size of the tensor ({size}) must match the existing size ({own.size}) at non-singleton "
                f"dimension {i}.  Target sizes: {text(target)}.  Tensor sizes: {text(source.sizes)}",
                source,
            )
        if own is not None and own.size.value is None and size is not None and size not in (-1, 1, own.size):
            axes.append(Axis.of(size))  # legal where the axis has one entry, or has that size under another name
            step = 0
        elif own is not None and (size == -1 or own.size != 1 or size == 1):
            axes.append(own)
        else:
            axes.append(Axis.of(unknown_size() if size is None else size))
            step = 0
        strides.append(step)
    return source.replaced(axes, strides=None if known is None else tuple(strides))


@method("repeat", "tile", variadic=True)
def repeat(site: Site, input: Value, sizes: Value) -> Value | None:
    times = dims_of(sizes)
    if isinstance(input, Opaque) and times is not None:
        input.as_tensor(len(times), sure=False)  # fewer axes are possible, hardly ever meant
    source = resolve(input)
    if not isinstance(source, Tensor) or times is None:
        return None
    lead = len(times) - source.rank
    if lead < 0 and site.name == "tile":
        return None
    if lead < 0:
        sentence = "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        raise Refusal("dim", sentence, source)
    axes: list[Axis] = []
    for i, count in enumerate(times):
        own = source.axes[i - lead] if i >= lead else Axis.of(1)
        if count is not None and count.value is not None and count.value < 0:
            raise Refusal("view", f"Trying to create tensor with negative dimension {own.size * count}")
        if count == 1:
            axes.append(own)
        elif own.size == 1 and count is not None:
            axes.append(Axis.of(count))
        elif count is None:
            axes.append(Axis.of(unknown_size()))
        else:
            axes.append(Axis((Part(count, COPIES), *own.parts)))
    return source.replaced(axes, strides=CONTIGUOUS)


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
        if not source.rank:
            raise Refusal("dim", "Dimension specified as 0 but tensor has no dimensions", source)
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


@method("view_as", "reshape_as")
def view_as(site: Site, input: Value, other: Value) -> Value | None:
    source, model = resolve(input), resolve(other)
    if not isinstance(model, Tensor):
        return None
    if isinstance(source, Tensor):
        check_count(product(source.sizes), model.sizes, source)
    axes = tuple(Axis.of(each) for each in model.sizes)
    return Tensor(axes, None, frozenset(), source.dtype if isinstance(source, Tensor) else None)
