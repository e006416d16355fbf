"""Changes of view: view, reshape, flatten, squeeze, transpose and their like."""

from __future__ import annotations

from collections.abc import Sequence

from .. import cst
from ..dims import Dim, product
from ..facts import Viewed
from ..naming import TIME_NAMES, names_of
from ..tensors import ARRAY, CONTIGUOUS, NOTHING, TURNED, Strides
from ..values import Axis, Inserted, Num, Opaque, Part, SizesOf, Swapped, Tensor, Tup, Value, int_of, resolve
from . import memory
from .caller import Caller
from .refusal import Refusal, differ, dimension, tell, text
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
    if site.name == "reshape" and "tensor" not in input.traits:
        traits |= {ARRAY}
    result = Tensor(tuple(Axis.of(size) for size in known), None, traits)
    front = _front(input, target)
    moved = () if front is None else moved_axes(front, [None if size == -1 else size for size in target])
    moved = moved or _turned_round(input, target)
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


def _turned_round(input: Opaque, target: Sequence[Dim | None]) -> tuple[int, ...]:
    """The axes that `x.view(-1, x.size(2), x.size(1))` names, the later one in front: whatever rank x has."""
    by_size = {size: index for index, size in input.measured().items() if index >= 0}
    if len(target) < 3 or target[0] is None or target[0] != -1:
        return ()
    named = [by_size.get(size) for size in target[1:] if size is not None]
    if None in named or len(named) != len(target) - 1:
        return ()
    places = [index for index in named if index is not None]
    return tuple(sorted(places)) if min(places) > 0 and places != sorted(places) else ()


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
    total = product(source.sizes)
    check_count(total, target, source)
    sizes = infer(total, target)
    full = [size for size in sizes if size is not None]
    axes = None
    if len(full) == len(sizes):
        axes = regroup([part for axis in source.axes for part in axis.parts], full)
    moved: tuple[int, ...] = ()
    if axes is None or (sizes != source.sizes and any(axis is not None for axis in read)):
        hole = next((i for i, size in enumerate(target) if size is not None and size == -1), None)
        moved = () if _scrambled(source) else moved_axes(source, sizes, read, hole, site.vm.where().small)
    strides, refusal = _strides(site, source, [size.value for size in full] if len(full) == len(sizes) else [None])
    if axes is None or moved:
        word = NOTHING if moved else None
        axes = tuple(Axis((Part(unknown_size(site.name) if size is None else size, word),)) for size in sizes)
        led = (
            frozenset({"led"}) if not moved and samples_lead(target, source.sizes[0] if source.rank else None) else None
        )
        result = source.replaced(axes, None, source.traits | led if led else None, strides)
    else:
        result = source.replaced(axes, source.origin, strides=strides)
    site.emit(Viewed, site.node, site.node, site.name, source, sizes, result, _receiver(site), moved)
    if refusal is not None:
        raise refusal
    return result


def _scrambled(source: Tensor) -> bool:
    """Whether a reshape has exchanged the axes before, and was reported: a second one may undo it."""
    return all(part.meaning == NOTHING for axis in source.axes for part in axis.parts)


def check_count(total: Dim, target: Sequence[Dim | None], source: Tensor) -> None:
    """A reshape keeps the number of entries; one size may be left to torch."""
    numbers = [None if size is None else size.value for size in target]
    for at, number in enumerate(numbers):
        if number is not None and number < -1:
            raise Refusal("view", f"invalid shape dimension {number} at index {at} of shape {text(target)}")
    known = [size for size in target if size is not None and size != -1]
    holes = numbers.count(-1)
    if holes > 1:
        raise Refusal("view", "only one dimension can be inferred")
    if len(known) + holes < len(numbers):
        return
    asked = product(known)
    if holes and asked == 0 and total == 0:
        raise Refusal(
            "view",
            f"cannot reshape tensor of 0 elements into shape {text(target)} because the unspecified "
            "dimension size -1 can "
            "be any value and is ambiguous",
        )
    a, b = total.value, asked.value
    left = a is not None and b is not None and (a % b if b else a)
    if (holes and left) or (not holes and differ(total, asked)):
        raise Refusal("view", f"shape '{text(target)}' is invalid for input of size {total}", source)


def _strides(site: Site, source: Tensor, sizes: Sequence[int | None]) -> tuple[Strides, Refusal | None]:
    """The strides of a reshape's result, and the refusal of a view where only a copy would do."""
    if source.strides == CONTIGUOUS:
        return CONTIGUOUS, None
    own, strides = source.numbers, memory.strides_of(source)
    wanted = [size for size in sizes if size is not None]
    if own is None or strides is None or len(wanted) != len(sizes):
        return None, None
    found = memory.viewed(own, strides, wanted)
    if found is not None:
        return found, None
    if site.name != "view":
        return CONTIGUOUS, None
    return None, Refusal(
        "view",
        "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
        "contiguous subspaces). Use .reshape(...) instead.",
        source,
    )


def _receiver(site: Site) -> cst.BaseExpression:
    """The expression of what is reshaped, as a method's receiver or as a function's first argument."""
    func = site.node.func
    if isinstance(func, cst.Attribute) and site.nodes.keys().isdisjoint({"input", "tensor"}):
        unbound = isinstance(func.value, cst.Attribute) and func.value.attr.value == "Tensor" and site.node.args
        return site.node.args[0].value if unbound else func.value
    return site.nodes.get("input") or site.nodes.get("tensor") or site.node


@tensor_op("flatten")
def flatten(site: Site, input: Value, start_dim: Value | None = None, end_dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if not source.rank:
        for each in (start_dim, end_dim):
            dimension(each, 0)
        return source.replaced((Axis.of(1),), strides=CONTIGUOUS)
    start = 0 if start_dim is None else axis_number(start_dim, source.rank)
    end = source.rank - 1 if end_dim is None else axis_number(end_dim, source.rank)
    if start is None or end is None:
        return None
    if start > end:
        raise Refusal("dim", "flatten() has invalid args: start_dim cannot come after end_dim", source)
    sizes = source.sizes
    return viewed(site, source, [*sizes[:start], product(sizes[start : end + 1]), *sizes[end + 1 :]])


@tensor_op("unflatten")
def unflatten(site: Site, input: Value, dim: Value, sizes: Value) -> Value | None:
    source, inner = resolve(input), dims_of(sizes)
    at = axis_number(dim, source.rank) if isinstance(source, Tensor) else None
    if not isinstance(source, Tensor) or at is None or inner is None:
        return None
    if not inner:
        raise Refusal("view", "unflatten: sizes must be non-empty")
    try:
        check_count(source.sizes[at], inner, source)
    except Refusal as refusal:
        if "invalid for input" not in refusal.sentence:
            raise
        raise Refusal(
            "view",
            f"unflatten: Provided sizes {text(inner)} don't multiply up to the size of dim {at} "
            f"({source.sizes[at]}) in the "
            "input tensor",
            source,
        ) from None
    whole = infer(source.sizes[at], inner)
    return viewed(site, source, [*source.sizes[:at], *whole, *source.sizes[at + 1 :]])


@tensor_op("squeeze")
def squeeze(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    arguments = {"input": source} if dim is None else {"input": source, "dim": dim}
    if not isinstance(source, Tensor):
        return None
    if dim is None:
        chosen: list[int | None] = list(range(source.rank))
    else:
        given = [resolve(item) for item in dim.items] if isinstance(dim, Tup) else [dim]
        chosen = [axis_number(item, source.rank) for item in given]
        if not source.rank:
            return source
    if any(at is None or source.sizes[at].value is None for at in chosen):
        return site.applied(arguments, None)
    kept = [i for i in range(source.rank) if i not in chosen or source.sizes[i] != 1]
    return site.applied(arguments, _selected(source, kept))


def _selected(source: Tensor, kept: Sequence[int]) -> Tensor:
    """The axes `kept`, in this order; what is left out has one entry."""
    strides = memory.strides_of(source)
    moved = None if strides is None else tuple(strides[i] for i in kept)
    if source.strides == CONTIGUOUS and list(kept) == sorted(kept):
        moved = CONTIGUOUS  # type: ignore[assignment]
    traits = source.traits ^ {TURNED} if kept and kept[0] and len(kept) == source.rank else source.traits
    return source.replaced((source.axes[i] for i in kept), source.origin, traits, moved)


@tensor_op("unsqueeze")
def unsqueeze(site: Site, input: Value, dim: Value) -> Value | None:
    source, at = resolve(input), int_of(dim)
    if isinstance(source, Opaque) and at is not None:
        return Inserted(source, at)
    if not isinstance(source, Tensor) or at is None:
        return None
    at = dimension(dim, source.rank, 1, source)
    assert at is not None
    strides = memory.strides_of(source)
    if strides is not None and source.strides != CONTIGUOUS:
        step = 1 if at == source.rank else strides[at] * (source.sizes[at].value or 1)
        strides = (*strides[:at], step, *strides[at:])
    moved = CONTIGUOUS if source.strides == CONTIGUOUS else strides
    return source.replaced((*source.axes[:at], Axis.of(1), *source.axes[at:]), strides=moved)


@tensor_op("transpose", "swapaxes", "swapdims")
def transpose(site: Site, input: Value, dim0: Value, dim1: Value) -> Value | None:
    source = resolve(input)
    func = site.node.func
    bound = isinstance(func, cst.Attribute) and site.nodes.get("input") is func.value
    if site.positional > (2 if bound else 3):
        return None  # NumPy's, which names the order of all axes
    if not isinstance(source, Tensor):
        i, j = int_of(dim0), int_of(dim1)
        return Swapped(source, i, j) if isinstance(source, Opaque) and i is not None and j is not None else None
    a, b = axis_number(dim0, source.rank), axis_number(dim1, source.rank)
    if a is None or b is None:
        return None if source.rank else source
    order = list(range(source.rank))
    order[a], order[b] = b, a
    return site.applied({"input": source}, _selected(source, order))


@tensor_op("t")
def t(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if isinstance(source, Opaque):
        settled = source.as_tensor(2, sure=False)
        source = source if settled is None else settled
    if not isinstance(source, Tensor):
        return None
    if source.rank > 2:
        raise Refusal("dim", f"t() expects a tensor with <= 2 dimensions, but self is {source.rank}D", source)
    return _selected(source, range(source.rank)[::-1])


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
    order = list(range(tensor.rank))
    order.insert(b, order.pop(a))
    return _selected(tensor, order)


def _permute(site: Site, input: Value, dims: Value) -> Value | None:
    order = [int_of(item) for item in dims.items] if isinstance(dims, Tup) else []
    if not isinstance(dims, Tup) or any(i is None for i in order):
        return None
    if isinstance(input, Opaque):
        input.as_tensor(len(order))
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    if source.rank != len(order):
        raise Refusal(
            "dim",
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {source.rank} is not equal to len(dims) = {len(order)}",
            source,
        )
    at = [axis_number(Num(Dim.of(i)), source.rank) for i in order if i is not None]
    if len(set(at)) != source.rank:
        raise Refusal("dim", "permute(): duplicate dims are not allowed.", source)
    return _selected(source, [i for i in at if i is not None])


def turned(vm: Caller, node: cst.CSTNode, source: Tensor, name: str) -> Value:
    """`x.T`, `x.mT`, `x.H`, `x.mH`."""
    order = list(range(source.rank))
    if name in ("T", "H"):
        return _selected(source, order[::-1])
    if source.rank < 2:
        sentence = f"tensor.{name} is only supported on matrices or batches of matrices. Got {source.rank}-D tensor."
        receiver = node.value if isinstance(node, cst.Attribute) else None
        return tell(vm, node, Refusal("dim", sentence, source), [("it", receiver, source)])
    return _selected(source, [*order[:-2], order[-1], order[-2]])
