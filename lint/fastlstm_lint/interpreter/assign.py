"""Assignment to names, attributes, tuples and subscripts."""

from __future__ import annotations

from .. import cst
from ..signatures import broadcast, index, splitting
from ..signatures.refusal import Refusal, tell
from ..values import Class, Instance, Many, Num, Opaque, SizesOf, Tensor, Tup, Value, resolve
from .items import index_item
from .lists import replaced
from .tables import stored
from .walk import Walk


def assign(vm: Walk, target: cst.CSTNode, value: Value) -> None:
    """Bind `value` to an assignment target."""
    if vm.watch is not None:
        vm.watch(target, value)
    bind(vm, target, value)


def bind(vm: Walk, target: cst.CSTNode, value: Value) -> None:
    """Bind `value` to an assignment target that no reader is told of."""
    if isinstance(target, cst.Name):
        scope = vm.frame.scope
        if target.value in scope.globals:
            scope = scope.top
        scope.names[target.value] = _named(value, target.value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        _unpack(vm, target, value)
    elif isinstance(target, cst.Attribute):
        base = vm.evaluate(target.value)
        if isinstance(base, Instance):
            base.attributes[target.attr.value] = _named(value, target.attr.value)
        elif isinstance(base, Tensor) and target.attr.value == "data":
            vm.rebind(target.value, value, base)
        elif isinstance(base, Class):
            base.body[target.attr.value] = Opaque(target.attr.value)  # for all its objects, from some time on
    elif isinstance(target, cst.StarredElement):
        assign(vm, target.value, Opaque("rest"))
    elif isinstance(target, cst.Subscript):
        _store(vm, target, value)


def rebind(vm: Walk, target: cst.BaseExpression, value: Value) -> None:
    """Let the expression that held a value hold what it was changed into."""
    if isinstance(target, (cst.Name, cst.Attribute)):
        bind(vm, target, value)
    elif isinstance(target, cst.Subscript):
        _store(vm, target, value)


def delete(vm: Walk, target: cst.BaseExpression) -> None:
    """`del name`, `del list[i]`."""
    if isinstance(target, cst.Name):
        vm.frame.scope.names.pop(target.value, None)
    elif isinstance(target, cst.Subscript) and isinstance(vm.evaluate(target.value), Tup):
        rebind(vm, target.value, Opaque("list"))


def _store(vm: Walk, target: cst.Subscript, value: Value) -> None:
    """`base[i] = value`: a list is another one afterwards; a tensor keeps its shape."""
    base = resolve(vm.evaluate(target.value))
    if isinstance(base, Tensor):
        place = index.place(vm, target, base, tuple(index_item(vm, element.slice) for element in target.slice))
        broadcast.store(vm, target, place, value)
        return
    only = target.slice[0].slice if len(target.slice) == 1 else None
    if isinstance(only, cst.Index):
        key = vm.evaluate(only.value)
        result = stored(base, resolve(key), value) or replaced(base, key, value)
    else:
        result = Opaque("list") if isinstance(base, Tup) and base.is_list else None
    if result is not None:
        rebind(vm, target.value, result)


def _named(value: Value, name: str) -> Value:
    """An unknown takes the name it is first given, for messages; nothing about it has been said yet."""
    if isinstance(value, Opaque) and value.name == "?":
        value.name = name
    elif isinstance(value, Num) and (symbol := value.dim.symbol) is not None and symbol.alias is None:
        symbol.alias = name
    return value


def _unpack(vm: Walk, target: cst.Tuple | cst.List, value: Value) -> None:
    elements = target.elements
    starred = [i for i, element in enumerate(elements) if isinstance(element, cst.StarredElement)]
    value = resolve(value)
    names = [element.value.value if isinstance(element.value, cst.Name) else None for element in elements]
    items: list[Value] | None = None
    if not _fits(vm, target, value, len(elements) - len(starred), bool(starred)):
        value = Opaque("?")
    if isinstance(value, Tup):
        if starred and len(value.items) >= len(elements) - 1:
            first, extra = starred[0], len(value.items) - len(elements) + 1
            items = list(value.items[:first])
            items.append(Tup(value.items[first : first + extra], True))
            items += value.items[first + extra :]
        elif len(value.items) == len(elements):
            items = list(value.items)
    elif isinstance(value, SizesOf) and not starred:
        tensor = value.base.as_tensor(len(elements), names)
        if tensor is not None:
            items = [Num(size) for size in tensor.sizes]
    elif isinstance(value, Tensor) and value.rank and not starred:
        items = [splitting.entry(value)] * len(elements)
    elif isinstance(value, Tensor) and value.rank:
        row = splitting.entry(value)
        items = [Many(row) if i in starred else row for i in range(len(elements))]
    elif isinstance(value, Opaque) and not starred:
        items = [value.attribute(f"[{i}]") for i in range(len(elements))]
        for item, name in zip(items, names, strict=True):
            if isinstance(item, Opaque) and name is not None and name != "_":
                item.name = name
            if isinstance(item, Opaque) and value.meanings:
                item.meanings = dict(value.meanings)
    for i, element in enumerate(elements):
        found = items[i] if items is not None else Opaque(names[i] or "?")
        assign(vm, element.value, found)


def _fits(vm: Walk, target: cst.BaseExpression, value: Value, count: int, starred: bool) -> bool:
    """Whether a value may have as many items as there are names."""
    try:
        splitting.unpacked(value, count, starred)
    except Refusal as refusal:
        tell(vm, target, refusal, [("the value", None, value)])
        return False
    return True
