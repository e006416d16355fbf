"""Python's own functions, as far as they carry sizes and modules around."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from .. import cst
from ..dims import Dim
from ..values import (
    Axis,
    Const,
    Flag,
    Many,
    Name,
    Num,
    Opaque,
    Range,
    Tensor,
    Tup,
    Value,
    dim_of,
    int_of,
    resolve,
)
from .attributes import attribute
from .items import length_of
from .truth import is_kind
from .walk import Walk

FEW = 8
"""Entries of a sequence that are told apart where what makes them is written once, as in `tuple(h() for _ in "ab")`."""


def call_builtin(
    vm: Walk, node: cst.Call, name: str, arguments: Sequence[Value], nodes: Sequence[cst.BaseExpression]
) -> Value | None:
    """The value of a call of a built-in function; None where nothing is known."""
    first = resolve(arguments[0]) if arguments else None
    if first is None:
        return None
    if name == "isinstance" and len(arguments) == 2:
        answer = is_kind(first, resolve(arguments[1]))
        return None if answer is None else Const(answer)
    if name == "type" and isinstance(first, Tup):
        return Name((f"builtins.{'list' if first.is_list else 'tuple'}",))
    if name == "len":
        length = length_of(first)
        axis = first.axes[0] if isinstance(first, Tensor) and first.rank else None
        if isinstance(first, Opaque) and length is not None:
            axis = Axis.of(length)
        return None if length is None else Num(length, axis)
    if name == "int":
        if isinstance(first, Const) and isinstance(first.value, (bool, float)) and isfinite(first.value):
            return Num(Dim.of(int(first.value)))
        return Num(first.count - 1) if isinstance(first, Flag) else first
    if name == "bool":
        return first if isinstance(first, (Flag, Opaque)) else None
    if name in ("tuple", "list") and isinstance(first, Tensor):
        return Many(vm.item_of(first, nodes[0]), length_of(first))
    if name in ("tuple", "list") and isinstance(first, Many) and first.length is not None:
        count = first.length.value
        return Tup((first.item,) * count, name == "list") if count is not None and 0 < count <= FEW else first
    if name in ("tuple", "list"):
        return Tup(first.items, name == "list") if isinstance(first, Tup) else first
    if name == "range":
        return _range(arguments)
    if name == "enumerate":
        return Many(Tup((Opaque("i"), vm.item_of(first, nodes[0]))), length_of(first))
    if name == "zip":
        return Many(Tup(tuple(vm.item_of(value, at) for value, at in zip(arguments, nodes, strict=False))))
    if name in ("reversed", "sorted", "iter"):
        return Many(vm.item_of(first, nodes[0]), length_of(first))
    if name == "next":
        return vm.item_of(first, nodes[0])
    if name in ("max", "min") and len(arguments) > 1:
        numbers = [int_of(value) for value in arguments]
        if all(number is not None for number in numbers):
            found = [number for number in numbers if number is not None]
            return Num(Dim.of(max(found) if name == "max" else min(found)))
        return None
    if name == "getattr" and len(arguments) > 1 and isinstance(arguments[1], Const):
        word = arguments[1].value
        return attribute(vm, node, first, word) if isinstance(word, str) and word.isidentifier() else None
    return None


def _range(arguments: Sequence[Value]) -> Value:
    given = [Num(dim) if (dim := dim_of(resolve(value))) is not None else None for value in arguments]
    if len(given) == 1:
        return Range(None, given[0], None, is_slice=False)
    return Range(given[0], given[1], given[2] if len(given) > 2 else None, is_slice=False)
