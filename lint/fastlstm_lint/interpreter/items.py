"""Items of sequences and tensors: `base[index]`, what a loop sees first, and `len`."""

from __future__ import annotations

from .. import cst
from ..dims import Dim, Invented
from ..facts import Misused
from ..signatures import arrays, index, splitting
from ..signatures.refusal import Refusal, tell
from ..values import (
    NONE,
    Axis,
    Const,
    Foreign,
    Many,
    Module,
    Num,
    Opaque,
    Packed,
    Range,
    SizesOf,
    Tensor,
    Tup,
    Value,
    dim_of,
    int_of,
    resolve,
)
from .imports import dotted
from .join import join_all
from .tables import entry
from .walk import Walk


def evaluate_subscript(vm: Walk, node: cst.Subscript) -> Value:
    base = resolve(vm.evaluate(node.value))
    items = tuple(index_item(vm, element.slice) for element in node.slice)
    if isinstance(base, Tensor):
        return index.index_tensor(vm, node, base, items)
    if isinstance(base, Packed):
        # It is a named tuple: items 0 to 3 are its fields.
        if len(items) != 1 or isinstance(items[0], Range) or (int_of(items[0]) or 0) < 0:
            vm.emit(Misused(node, vm.where(), value=base, use="an index"))
        return Opaque("?")
    named = node.value.attr.value if isinstance(node.value, cst.Attribute) else ""
    if len(items) == 2 and isinstance(base, Opaque) and named in ("iloc", "loc"):
        return arrays.cells(items)
    if len(items) == 1 and (found := entry(base, items[0])) is not None:
        return found
    if len(items) == 1:
        if isinstance(base, Tup) and base.kind == "state" and int_of(items[0]) == -1:
            vm.emit(Misused(node, vm.where(), value=base, use="[-1]"))
        _check_place(vm, node, base, items[0])
        return pick(base, items[0])
    if isinstance(base, Opaque) and len(items) > 2 and _is_whole(items[-1]) and Const(...) not in items:
        # Nobody writes a trailing `:` but to spell out every axis.
        settled = base.as_tensor(sum(item != NONE for item in items))
        if settled is not None:
            return index.index_tensor(vm, node, settled, items)
    return Foreign(base.name) if isinstance(base, Foreign) else Opaque("?")


def _check_place(vm: Walk, node: cst.Subscript, base: Value, item: Value) -> None:
    """An index beyond a tuple."""
    at = int_of(item)
    if isinstance(base, Tup) and not base.is_list and at is not None and not -len(base.items) <= at < len(base.items):
        tell(vm, node, Refusal("parts", "tuple index out of range", sure=True), [("it", node.value, base)])


def _is_whole(item: Value) -> bool:
    return isinstance(item, Range) and item.start is None and item.stop is None and item.step is None


def pick(base: Value, item: Value) -> Value:
    """`base[item]` of a tuple, a list of modules, a shape or an unknown."""
    at = int_of(item)
    if isinstance(base, SizesOf) and isinstance(item, Range):
        return Many(Opaque("size"))
    if isinstance(base, SizesOf):
        return Num(size := base.base.size(at), Axis.of(size)) if at is not None else Opaque("size")
    if isinstance(item, Range):
        return _stretch(base, item)
    sequence = base.items if isinstance(base, (Tup, Module)) else None
    if sequence is not None and at is not None and -len(sequence) <= at < len(sequence):
        return sequence[at]
    if sequence and at is None:
        return join_all(sequence, "item")
    if isinstance(base, Many):
        return _one_of(base.item)
    if isinstance(base, Opaque) and at is not None:
        return base.attribute(f"[{at}]")
    return Opaque("?")


def _one_of(item: Value) -> Value:
    """One of many: of numbers that a loop makes, two are not the same."""
    if isinstance(item, Num) and item.dim.value is None:
        return Num(Dim.of(Invented("item")))
    return Opaque(item.name) if isinstance(item, Opaque) and item.is_counted and item.settled is None else item


def _stretch(base: Value, item: Range) -> Value:
    """`base[start:stop:step]`: a sequence of the same kind, of unknown length where a bound is not known."""
    if isinstance(base, Many):
        turned = item.start is None and item.stop is None and int_of(item.step) in (1, -1)
        return Many(base.item, base.length if turned else None)
    given = (item.start, item.stop, item.step)
    bounds = [None if each is None else int_of(resolve(each)) for each in given]
    exact = all(bound is not None or each is None for bound, each in zip(bounds, given, strict=True))
    if not isinstance(base, (Tup, Module)) or bounds[2] == 0:
        return Opaque("?")
    if exact:
        items = base.items[slice(*bounds)]
        return Tup(items, base.is_list) if isinstance(base, Tup) else Module(base.kind, base.config, base.node, items)
    return Many(join_all(base.items, "item")) if isinstance(base, Tup) and base.items else Opaque("?")


def index_item(vm: Walk, item: cst.BaseSlice) -> Value:
    """An index or a slice as a value."""
    if isinstance(item, cst.Index):
        return vm.evaluate(item.value)
    assert isinstance(item, cst.Slice)
    parts = [None if part is None else vm.evaluate(part) for part in (item.lower, item.upper, item.step)]
    return Range(parts[0], parts[1], parts[2])


def length_of(value: Value) -> Dim | None:
    """`len(value)`."""
    value = resolve(value)
    if isinstance(value, Tensor):
        return value.axes[0].size if value.rank else None
    if isinstance(value, (Tup, Module)):
        return Dim.of(len(value.items)) if isinstance(value, Tup) or value.items else None
    if isinstance(value, Many):
        return value.length
    if isinstance(value, Range) and not value.is_slice:
        start = Dim.of(0) if value.start is None else dim_of(value.start)
        stop = dim_of(value.stop)
        if start is not None and stop is not None and value.step is None:
            return stop - start
    if isinstance(value, SizesOf):
        return None
    if isinstance(value, Opaque):
        return value.size(0)
    return None


def item_of(vm: Walk, iterable: Value, node: cst.BaseExpression) -> Value:
    """What the first turn of a loop over `iterable` sees."""
    iterable = resolve(iterable)
    if isinstance(iterable, Tensor) and not iterable.rank:
        return tell(vm, node, Refusal("parts", "iteration over a 0-d tensor"), [("it", node, iterable)])
    if isinstance(iterable, Tensor):
        return splitting.entry(iterable)
    if isinstance(iterable, (Tup, Module)) and iterable.items:
        return join_all(iterable.items, "item")
    if isinstance(iterable, Many):
        return iterable.item
    if isinstance(iterable, Range):
        return Num(Dim.of(Invented("i")))
    if isinstance(iterable, Module) and iterable.kind == "DataLoader":
        return Opaque("batch", meanings={0: "batch"})
    return Opaque(f"{dotted(node) or 'iterable'}[]")
