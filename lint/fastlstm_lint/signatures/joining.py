"""Joining tensors: cat and stack."""

from __future__ import annotations

from .. import cst
from ..dims import Dim
from ..records import replace
from ..tensors import CONTIGUOUS, GUESSED
from ..values import Axis, Many, Opaque, Origin, Tensor, Tup, Value, resolve
from . import dtypes
from .refusal import Refusal, differ, dimension, text
from .registry import Site, axis_number, function, unknown_size


def common(axes: list[Axis]) -> Axis:
    """One axis that several tensors share: the size and meaning that any of them knows."""
    first = axes[0]
    for axis in axes[1:]:
        if axis.size == first.size and axis.meaning != first.meaning:
            first = axis if all(word is None for word in first.meaning) else first
        elif axis.size != first.size and first.size.value is None and axis.size.value is not None:
            first = axis
    return first


def _sequence(site: Site, tensors: Value, name: str) -> list[Value]:
    """The items of the sequence that a function takes; a tensor is none, an unknown that was one once may be."""
    given = resolve(tensors)
    if isinstance(tensors, Tensor):
        raise Refusal(
            "type", f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor", sure=True
        )
    items = [resolve(item) for item in given.items] if isinstance(given, Tup) else []
    for at, item in enumerate(items):
        if isinstance(item, Tup):
            word = "list" if item.is_list else "tuple"
            raise Refusal("type", f"expected Tensor as element {at} in argument 0, but got {word}", sure=True)
    return items


def _settled(items: list[Value]) -> list[Value]:
    """The items of cat, unknown ones with as many axes as the known ones have: torch takes no others."""
    ranks = {item.rank for item in items if isinstance(item, Tensor)}
    sure = all(GUESSED not in item.traits for item in items if isinstance(item, Tensor))
    if len(ranks) != 1 or not (rank := ranks.pop()):
        return items
    return [(item.as_tensor(rank, sure=sure) or item) if isinstance(item, Opaque) else item for item in items]


def _is_empty(site: Site, given: Value) -> bool:
    """Whether a sequence has no items for certain. A list that has a name may be filled under another one."""
    node = site.nodes.get("tensors")
    written = isinstance(node, (cst.List, cst.Tuple, cst.ListComp))
    return written and ((isinstance(given, Tup) and not given.items) or (isinstance(given, Many) and given.length == 0))


def _merged(found: list[Tensor], axes: tuple[Axis, ...]) -> Tensor:
    traits = frozenset({GUESSED}) if any(GUESSED in item.traits for item in found) else frozenset()
    dtype = None if any(item.dtype is None for item in found) else _promoted(found)
    return Tensor(axes, None, traits, dtype, CONTIGUOUS)


def _promoted(found: list[Tensor]) -> str:
    return max((item.dtype for item in found if item.dtype is not None), key=dtypes.ORDER.index)


LED = {"hstack": 1, "vstack": 2, "row_stack": 2, "dstack": 3, "column_stack": 2}
"""Functions that join along an axis of their own, and how many axes they give to what has fewer."""


def _led(name: str, item: Tensor) -> Tensor:
    """A tensor as `hstack` and its fellows read it: numbers and vectors get the axes that they lack."""
    one, axes = Axis.of(1), item.axes
    if len(axes) >= LED[name]:
        return item
    if name == "hstack":
        axes = (one,)
    elif name == "column_stack":
        axes = (*axes, one) if axes else (one, one)
    elif name == "dstack":
        axes = (*((one,) * (2 - len(axes))), *axes, one)
    else:
        axes = (*((one,) * (2 - len(axes))), *axes)
    return item.replaced(axes)


@function("torch.cat", "torch.concat", "torch.concatenate", *(f"torch.{name}" for name in LED))
def cat(site: Site, tensors: Value, dim: Value | None = None) -> Value | None:
    given = resolve(tensors)
    items = _settled(_sequence(site, tensors, "cat"))
    if _is_empty(site, given):
        raise Refusal("join", "torch.cat(): expected a non-empty list of Tensors", sure=True)
    if isinstance(given, Many) and isinstance(item := resolve(given.item), Tensor):
        return _repeated(site, given, item, dim)
    found = [item for item in items if isinstance(item, Tensor)]
    if site.name in LED:
        found = [_led(site.name, item) for item in found]
    if not found or len(found) != len(items):
        return site.applied({"tensors": given}, None) if found else None
    for place, item in enumerate(found):
        if not item.rank:
            raise Refusal("join", f"zero-dimensional tensor (at position {place}) cannot be concatenated", item)
    # An empty tensor of one axis is skipped, whatever the others are: torch keeps this from its first versions.
    real = [(place, item) for place, item in enumerate(found) if item.rank != 1 or item.sizes[0] != 0]
    kept = [item for _, item in real] or found[:1]
    first = kept[0]
    at: int | None = {"hstack": min(first.rank - 1, 1), "column_stack": 1, "dstack": 2}.get(site.name, 0)
    if site.name not in LED:
        at = 0 if dim is None else dimension(dim, first.rank, 0, first)
    for number, item in real[1:]:
        if item.rank != first.rank:
            if item.rank == 1 and item.sizes[0].value is None:
                return None
            ranks = f"got {first.rank} and {item.rank}"
            raise Refusal("join", f"Tensors must have same number of dimensions: {ranks}", first, item)
        for i, (a, b) in enumerate(zip(first.sizes, item.sizes, strict=True)):
            if at is not None and i != at and differ(a, b):
                raise Refusal(
                    "join",
                    f"Sizes of tensors must match except in dimension {at}. Expected size {a} but got "
                    f"size {b} for tensor "
                    f"number {number} in the list.",
                    first,
                    item,
                )
    if at is None:
        return None
    axes = [common([item.axes[i] for item in kept]) for i in range(first.rank)]
    total = Dim.of(0)
    for item in kept:
        total = total + item.axes[at].size
    meanings = {item.axes[at].meaning for item in kept}
    words = meanings.pop() if len(meanings) == 1 else (None,)
    axes[at] = Axis.of(total, words[0] if len(words) == 1 else None)
    arguments = {"tensors": given} if dim is None else {"tensors": given, "dim": dim}
    joined = _merged(found, tuple(axes))
    if at == first.rank - 1 and (origin := _beside(kept)) is not None:
        joined = replace(joined, origin=origin)
    return site.applied(arguments, joined)


def _beside(found: list[Tensor]) -> Origin | None:
    """The origin of outputs put side by side, one for each direction: they are read as one layer's output is."""
    origins = [item.origin for item in found]
    first = origins[0]
    for origin in origins:
        if origin is None or first is None or origin.role != "output" or origin.layer.directions != 1:
            return None
        if origin.layer.batch_first is not first.layer.batch_first:
            return None
    return None if first is None else first.through()


def _repeated(site: Site, given: Many, item: Tensor, dim: Value | None) -> Value | None:
    """A list of unknown length, whose items are all like `item`."""
    at = 0 if dim is None else axis_number(dim, item.rank)
    if at is None or site.name == "hstack" or not item.rank:
        return None
    axes = list(item.axes)
    meaning = axes[at].meaning[0] if len(axes[at].parts) == 1 else None
    size = unknown_size("cat") if given.length is None else given.length * axes[at].size
    axes[at] = Axis.of(size, meaning)
    return _merged([item], tuple(axes))


@function("torch.stack")
def stack(site: Site, tensors: Value, dim: Value | None = None) -> Value | None:
    given = resolve(tensors)
    items = _sequence(site, tensors, site.name)
    item = resolve(given.item) if isinstance(given, Many) else None
    if _is_empty(site, given):
        raise Refusal("join", "stack expects a non-empty TensorList", sure=True)
    if isinstance(given, Tup) and not given.items:
        return None
    if isinstance(given, Tup):
        same = [each for each in items if isinstance(each, Tensor)]
        if len(same) != len(items):
            return None
        dimension(dim, same[0].rank, 1, same[0])
        for place, each in enumerate(same):
            if each.rank != same[0].rank or any(map(differ, each.sizes, same[0].sizes)):
                raise Refusal(
                    "join",
                    f"stack expects each tensor to be equal size, but got {text(same[0].sizes)} at entry 0 and "
                    f"{text(each.sizes)} at entry {place}",
                    same[0],
                    each,
                )
        item = _merged(same, tuple(common([each.axes[i] for each in same]) for i in range(same[0].rank)))
    if not isinstance(item, Tensor):
        return None
    count = Dim.of(len(items)) if isinstance(given, Tup) else getattr(given, "length", None)
    at = 0 if dim is None else dimension(dim, item.rank, 1)
    if at is None:
        return None
    new = Axis.of(unknown_size("stack") if count is None else count)
    return Tensor((*item.axes[:at], new, *item.axes[at:]), None, item.traits & {GUESSED}, item.dtype, CONTIGUOUS)
