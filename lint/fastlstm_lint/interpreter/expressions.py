"""Expressions: from a node to the value it stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import cst
from ..dims import Dim, words
from ..values import (
    NONE,
    Const,
    Function,
    Many,
    Num,
    Opaque,
    Tup,
    Value,
)
from . import calls
from .assign import assign
from .attributes import attribute
from .items import evaluate_subscript, length_of
from .operators import evaluate_binary, evaluate_boolean, evaluate_comparison, evaluate_conditional, evaluate_unary
from .scope import Frame, Scope
from .tables import mapping
from .walk import Walk

BUILTINS = frozenset(
    words(
        "len int float bool str list tuple range enumerate zip reversed isinstance getattr hasattr print super sum "
        "max min sorted map filter dict set type abs round any all next iter open object property staticmethod "
        "repr"
    )
)

LARGE = 10**39


def _name(vm: Walk, node: cst.Name) -> Value:
    if node.value in CONSTANTS:
        return CONSTANTS[node.value]
    return vm.lookup(node.value)


def _integer(vm: Walk, node: cst.Integer) -> Value:
    # No size has as many as 40 digits.
    return Num(Dim.of(node.value)) if node.value < LARGE else Opaque("number")


def _literal(vm: Walk, node: cst.Constant) -> Value:
    return Const(node.value)


def _text(vm: Walk, node: cst.BaseExpression) -> Value:
    return Opaque("text")


def _sequence(vm: Walk, node: cst.Tuple | cst.List) -> Value:
    items: list[Value] = []
    for element in node.elements:
        value = vm.evaluate(element.value)
        if isinstance(element, cst.StarredElement):
            if not isinstance(value, Tup):
                return Opaque("items")
            items.extend(value.items)
        else:
            items.append(value)
    return Tup(tuple(items), isinstance(node, cst.List))


def _set(vm: Walk, node: cst.Set) -> Value:
    for element in node.elements:
        vm.evaluate(element.value)
    return Opaque("set")


def _attribute(vm: Walk, node: cst.Attribute) -> Value:
    base = vm.evaluate(node.value)
    return attribute(vm, node, base, node.attr.value)


def _call(vm: Walk, node: cst.Call) -> Value:
    return calls.call(vm, node)


def _lambda(vm: Walk, node: cst.Lambda) -> Value:
    return Function(node, vm.frame.scope, name="<lambda>")


def _comprehension(vm: Walk, node: cst.ListComp | cst.GeneratorExp | cst.SetComp) -> Value:
    frame = vm.frame
    inner = Frame(Scope(frame.scope), frame.function, frame.instance, loops=(*frame.loops, node), node=frame.node)
    vm.frames.append(inner)
    length: Dim | None = None
    part: cst.CompFor | None = node.for_in
    while part is not None:
        iterable = vm.evaluate(part.iter)
        length = length_of(iterable) if part is node.for_in and not part.ifs else None
        assign(vm, part.target, vm.item_of(iterable, part.iter))
        for condition in part.ifs:
            vm.evaluate(condition)
        part = part.inner_for_in
    item = vm.evaluate(node.elt)
    vm.frames.pop()
    return Many(item, length)


def _dict_comprehension(vm: Walk, node: cst.DictComp) -> Value:
    return Opaque("mapping")


def _walrus(vm: Walk, node: cst.NamedExpr) -> Value:
    value = vm.evaluate(node.value)
    assign(vm, node.target, value)
    return value


def _inner(vm: Walk, node: cst.Await) -> Value:
    vm.evaluate(node.expression)
    return Opaque("?")


def _yield(vm: Walk, node: cst.Yield) -> Value:
    if node.value is not None:
        vm.evaluate(node.value)
    vm.frame.returns.append(Opaque("generator"))
    return Opaque("?")


CONSTANTS: dict[str, Value] = {"None": NONE, "True": Const(True), "False": Const(False)}

HANDLERS: dict[type, Callable[[Any, Any], Value]] = {
    cst.Name: _name,
    cst.Integer: _integer,
    cst.Constant: _literal,
    cst.FormattedString: _text,
    cst.Tuple: _sequence,
    cst.List: _sequence,
    cst.Set: _set,
    cst.Dict: mapping,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.Subscript: evaluate_subscript,
    cst.BinaryOperation: evaluate_binary,
    cst.UnaryOperation: evaluate_unary,
    cst.Comparison: evaluate_comparison,
    cst.BooleanOperation: evaluate_boolean,
    cst.IfExp: evaluate_conditional,
    cst.Lambda: _lambda,
    cst.ListComp: _comprehension,
    cst.SetComp: _comprehension,
    cst.GeneratorExp: _comprehension,
    cst.DictComp: _dict_comprehension,
    cst.NamedExpr: _walrus,
    cst.Await: _inner,
    cst.Yield: _yield,
}
