"""Lists that the program changes: append, extend, item assignment.

Values are never changed in place, so that a branch can be undone: the name is bound to the new list.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..values import MOST_ITEMS, Many, Module, Opaque, Tup, Value, int_of, resolve
from .join import join, join_all
from .walk import Walk

CHANGES = frozenset(
    {"append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "appendleft", "add_module"}
)
"""The methods of a list, and of nn.ModuleList, that change it."""


def changed(vm: Walk, base: Value, name: str, given: Sequence[Value]) -> Value | None:
    """The list that `base` is after one of its methods; None where the call changes no list.

    In a loop the number of turns is not known: what is appended there makes a list of unknown length.
    """
    if name not in CHANGES or not isinstance(base, (Tup, Many, Module)) or (isinstance(base, Tup) and not base.is_list):
        return None
    if isinstance(base, Module):
        if base.kind == "Sequential" and name in ("append", "add_module", "extend", "insert"):
            return Module(base.kind, base.config, base.node)
        if name == "append" and base.items and given and not vm.frame.loops:
            return Module(base.kind, base.config, base.node, (*base.items, given[0]))
        return Module(base.kind, base.config, base.node) if base.kind == "ModuleList" else None
    if name == "append" and len(given) == 1:
        return extended(vm, base, (given[0],))
    if name == "extend" and len(given) == 1:
        return added(vm, base, given[0])
    return Opaque("list")


def added(vm: Walk, base: Tup | Many, other: Value) -> Value:
    """`base += other`."""
    other = resolve(other)
    if isinstance(other, Tup):
        return extended(vm, base, other.items)
    if not isinstance(other, Many):
        return Opaque("list")
    items = base.items if isinstance(base, Tup) else (base.item,)
    return Many(join_all([*items, other.item], "item"))


def extended(vm: Walk, base: Tup | Many, more: tuple[Value, ...]) -> Value:
    """A list with further items at its end."""
    if isinstance(base, Tup) and not vm.frame.loops:
        many = len(base.items) + len(more) > MOST_ITEMS
        return Opaque("list") if many else Tup(base.items + more, True)
    items = base.items if isinstance(base, Tup) else (base.item,)
    return Many(join_all([*items, *more], "item")) if items or more else base


def replaced(base: Value, at: Value, value: Value) -> Value | None:
    """The list after `base[at] = value`; None where `base` is no list."""
    if isinstance(base, Many):
        return Many(join(base.item, value, "item"), base.length)
    if not isinstance(base, Tup) or not base.is_list:
        return None
    index, items = int_of(resolve(at)), list(base.items)
    if index is None or not -len(items) <= index < len(items):
        return Opaque("list")
    items[index] = value
    return Tup(tuple(items), True)
