"""Expressions: from a node to the value it stands for."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import libcst as cst

from ..dims import Dim, Invented, Symbol, words
from ..facts import Misused
from ..layers import Recurrent
from ..signatures import broadcast, index
from ..values import (
    NONE,
    Class,
    Condition,
    Const,
    Flag,
    Function,
    Instance,
    Many,
    Method,
    Module,
    Name,
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
from . import calls
from .assign import assign
from .imports import FileModule, dotted, member
from .join import join
from .scope import Frame, Scope
from .truth import by_flag, compare, is_none, large_if_true, tested_for_none, truth

if TYPE_CHECKING:
    from .machine import Machine

BUILTINS = frozenset(
    words(
        "len int float bool str list tuple range enumerate zip reversed isinstance getattr hasattr print super sum "
        "max min sorted map filter dict set type abs round any all next iter open object property staticmethod "
        "repr"
    )
)


def evaluate(vm: Machine, node: cst.BaseExpression) -> Value:
    """The value of an expression; an unknown for whatever is not understood."""
    handler = vm.handlers.get(type(node))
    return Opaque("?") if handler is None else handler(vm, node)


def _name(vm: Machine, node: cst.Name) -> Value:
    if node.value in CONSTANTS:
        return CONSTANTS[node.value]
    return vm.lookup(node.value)


def _integer(vm: Machine, node: cst.Integer) -> Value:
    return Num(Dim.of(int(node.value, 0)))


def _literal(vm: Machine, node: cst.Float | cst.SimpleString) -> Value:
    return Const(_evaluated(node.value))


@lru_cache(1024)
def _evaluated(text: str) -> Any:
    """The value of a float or string literal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the program's own, such as invalid escapes
        return ast.literal_eval(text)


def _ellipsis(vm: Machine, node: cst.Ellipsis) -> Value:
    return Const(...)


def _text(vm: Machine, node: cst.BaseExpression) -> Value:
    return Opaque("text")


def _sequence(vm: Machine, node: cst.Tuple | cst.List) -> Value:
    items: list[Value] = []
    for element in node.elements:
        value = evaluate(vm, element.value)
        if isinstance(element, cst.StarredElement):
            if not isinstance(value, Tup):
                return Opaque("items")
            items.extend(value.items)
        else:
            items.append(value)
    return Tup(tuple(items), isinstance(node, cst.List))


def _mapping(vm: Machine, node: cst.Dict | cst.Set) -> Value:
    for element in node.elements:
        evaluate(vm, element.value)
    return Opaque("mapping")


def _attribute(vm: Machine, node: cst.Attribute) -> Value:
    base = evaluate(vm, node.value)
    return attribute(vm, node, base, node.attr.value)


def attribute(vm: Machine, node: cst.CSTNode, base: Value, name: str) -> Value:
    """`base.name`."""
    base = resolve(base)
    if isinstance(base, Name):
        return Name(tuple(f"{choice}.{name}" for choice in base.choices))
    if isinstance(base, Instance):
        return _instance_attribute(vm, base, name)
    if isinstance(base, Tensor):
        if name == "shape":
            return Tup(tuple(Num(size) for size in base.sizes), kind="shape")
        if name in ("data", "real"):
            return base
        if name in ("T", "mT", "H", "mH"):
            axes = base.axes[::-1] if name in ("T", "H") else (*base.axes[:-2], *base.axes[-2:][::-1])
            return base.replaced(axes, base.origin)
        if name == "ndim":
            return Num(Dim.of(base.rank))
        return Method(base, name)
    if isinstance(base, Opaque):
        if name == "shape":
            return SizesOf(base)
        if name in ("data", "real"):
            return base
        return base.attribute(name)
    if isinstance(base, Recurrent):
        return _layer_attribute(base, name)
    if isinstance(base, Module):
        if name in base.config:
            return base.config[name]
        return Method(base, name)
    if isinstance(base, Packed):
        if name in ("shape", "ndim", "size", "dim", "view", "reshape", "transpose", "permute", "squeeze", "contiguous"):
            vm.emit(Misused(node, vm.where(), base, f".{name}"))
        return Method(base, name)
    if isinstance(base, FileModule):
        return member(vm, base, name)
    if isinstance(base, Class):
        found = base.find(name)
        return found if found is not None else Opaque(f"{base.name}.{name}")
    return Method(base, name)


def _instance_attribute(vm: Machine, base: Instance, name: str) -> Value:
    if name in base.attributes:
        return base.attributes[name]
    found = base.cls.find(name)
    if isinstance(found, Function):
        bound = calls.bind_method(found, base)
        if isinstance(bound, Function) and bound.decorator == "property":
            return calls.call_function(vm, bound, [], {})
        return bound
    if found is not None:
        return found
    if name in ("training",):
        return Opaque("training")
    value = Opaque(f"self.{name}")
    base.attributes[name] = value
    return value


def _layer_attribute(layer: Recurrent, name: str) -> Value:
    sizes = {"input_size": layer.input_size, "hidden_size": layer.hidden_size, "num_layers": layer.num_layers}
    if name in sizes:
        return Num(sizes[name])
    if name == "bidirectional":
        count = layer.directions
        return Const(count.value == 2) if count.value is not None else Flag("bidirectional", count)
    if name == "batch_first" and layer.batch_first is not None:
        return Const(layer.batch_first)
    return Method(layer, name)


def _call(vm: Machine, node: cst.Call) -> Value:
    return calls.call(vm, node)


def _subscript(vm: Machine, node: cst.Subscript) -> Value:
    base = resolve(evaluate(vm, node.value))
    items = tuple(_index_item(vm, element.slice) for element in node.slice)
    if isinstance(base, Tensor):
        return index.index_tensor(vm, node, base, items)
    if isinstance(base, Packed):
        # It is a named tuple: items 0 to 3 are its fields.
        if len(items) != 1 or isinstance(items[0], Range) or (int_of(items[0]) or 0) < 0:
            vm.emit(Misused(node, vm.where(), base, "an index"))
        return Opaque("?")
    if len(items) == 1:
        return pick(base, items[0])
    if isinstance(base, Opaque) and len(items) > 2 and _is_whole(items[-1]) and Const(...) not in items:
        # Nobody writes a trailing `:` but to spell out every axis.
        settled = base.as_tensor(len(items))
        if settled is not None:
            return index.index_tensor(vm, node, settled, items)
    return Opaque("?")


def _is_whole(item: Value) -> bool:
    return isinstance(item, Range) and item.start is None and item.stop is None and item.step is None


def pick(base: Value, item: Value) -> Value:
    """`base[item]` of a tuple, a list of modules, a shape or an unknown."""
    at = int_of(item)
    if isinstance(base, SizesOf):
        return Num(base.base.size(at)) if at is not None else Opaque("size")
    sequence = base.items if isinstance(base, (Tup, Module)) else None
    if sequence is not None and at is not None and -len(sequence) <= at < len(sequence):
        return sequence[at]
    if sequence is not None and isinstance(base, Tup) and isinstance(item, Range) and item.step is None:
        start = 0 if item.start is None else int_of(item.start)
        stop = len(sequence) if item.stop is None else int_of(item.stop)
        if start is not None and stop is not None:
            return Tup(sequence[start:stop], base.is_list)
    if sequence and at is None:
        first = sequence[0]
        for value in sequence[1:]:
            first = join(first, value, "item")
        return first
    if isinstance(base, Many):
        return base.item
    if isinstance(base, Opaque) and at is not None:
        return base.attribute(f"[{at}]")
    return Opaque("?")


def _index_item(vm: Machine, item: cst.BaseSlice) -> Value:
    if isinstance(item, cst.Index):
        return evaluate(vm, item.value)
    assert isinstance(item, cst.Slice)
    parts = [None if part is None else evaluate(vm, part) for part in (item.lower, item.upper, item.step)]
    return Range(parts[0], parts[1], parts[2])


def _binary(vm: Machine, node: cst.BinaryOperation) -> Value:
    left, right = evaluate(vm, node.left), evaluate(vm, node.right)
    return binary(vm, node, type(node.operator).__name__, left, right)


def binary(vm: Machine, node: cst.CSTNode, operator: str, left: Value, right: Value) -> Value:
    """An arithmetic operator on two values; `operator` is libcst's name for it."""
    left, right = resolve(left), resolve(right)
    operator = operator.removesuffix("Assign")
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return broadcast.operator(vm, node, operator, left, right)
    if isinstance(left, Tup) and isinstance(right, Tup) and operator == "Add":
        return Tup(left.items + right.items, left.is_list)
    if isinstance(left, Tup) and operator == "Multiply" and (times := int_of(right)) is not None and times < 64:
        return Tup(left.items * times, left.is_list)
    a, b = dim_of(left), dim_of(right)
    number = None if a is None or b is None else _arithmetic(operator, a, b)
    if number is None or not (isinstance(left, Opaque) or isinstance(right, Opaque)):
        return Opaque("?") if number is None else number
    # An operand may turn out to be a tensor: the result is a size only if it is used as one.
    result = Opaque("?")
    if isinstance(number, Num):
        result.be_number(number.dim)
    return result


def _arithmetic(operator: str, a: Dim, b: Dim) -> Value | None:
    if operator == "Add":
        return Num(a + b)
    if operator == "Subtract":
        return Num(a - b)
    if operator == "Multiply":
        return Num(a * b)
    if operator == "FloorDivide" and (quotient := a.floor_div(b)) is not None:
        return Num(quotient)
    if operator == "Power" and a.value is not None and b.value is not None and 0 <= b.value < 32:
        return Num(Dim.of(a.value**b.value))
    if operator == "Divide" and a.value is not None and b.value:
        return Const(a.value / b.value)
    return None


def _unary(vm: Machine, node: cst.UnaryOperation) -> Value:
    value = resolve(evaluate(vm, node.expression))
    if isinstance(node.operator, cst.Not):
        answer = truth(value)
        return Condition() if answer is None else Const(not answer)
    if isinstance(value, Tensor):
        return value
    if isinstance(node.operator, cst.Minus):
        if isinstance(value, Num):
            return Num(-value.dim)
        if isinstance(value, Const) and isinstance(value.value, float):
            return Const(-value.value)
    return Opaque("?")


def _comparison(vm: Machine, node: cst.Comparison) -> Value:
    left = resolve(evaluate(vm, node.left))
    answers = []
    result: Value = Condition(_large(node, left) if len(node.comparisons) == 1 else frozenset())
    for target in node.comparisons:
        right = resolve(evaluate(vm, target.comparator))
        answers.append(compare(target.operator, left, right))
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            result = broadcast.operator(vm, node, "Compare", left, right)
        left = right
    if all(answer is True for answer in answers):
        return Const(True)
    if any(answer is False for answer in answers):
        return Const(False)
    return result


def _large(node: cst.Comparison, left: Value) -> frozenset[Symbol]:
    operator = node.comparisons[0].operator
    size = dim_of(left)
    above = isinstance(operator, (cst.GreaterThan, cst.GreaterThanEqual, cst.NotEqual))
    return frozenset(size.symbols()) if above and size is not None else frozenset()


def _boolean(vm: Machine, node: cst.BooleanOperation) -> Value:
    left = evaluate(vm, node.left)
    answer = truth(left)
    is_and = isinstance(node.operator, cst.And)
    if answer is not None and answer != is_and:
        return left
    right = evaluate(vm, node.right)
    if answer is not None:
        return right
    if is_and and truth(right) is False:
        return right
    return Condition(large_if_true(left) | large_if_true(right))


def _conditional(vm: Machine, node: cst.IfExp) -> Value:
    test = evaluate(vm, node.test)
    answer = truth(test)
    if answer is not None:
        return evaluate(vm, node.body if answer else node.orelse)
    body, orelse = evaluate(vm, node.body), evaluate(vm, node.orelse)
    if (chosen := by_flag(test, body, orelse)) is not None:
        return chosen
    filled = tested_for_none(node.test)
    if filled is not None:
        given, other = (orelse, body) if filled[1] else (body, orelse)
        if isinstance(given, Opaque) and given.settled is None and is_none(other) is False:
            return other
    return join(body, orelse, "?")


def _lambda(vm: Machine, node: cst.Lambda) -> Value:
    return Function(node, vm.frame.scope, name="<lambda>")


def _comprehension(vm: Machine, node: cst.ListComp | cst.GeneratorExp | cst.SetComp) -> Value:
    frame = vm.frame
    inner = Frame(Scope(frame.scope), frame.function, frame.instance, loops=(*frame.loops, node), node=frame.node)
    vm.frames.append(inner)
    length: Dim | None = None
    part: cst.CompFor | None = node.for_in
    while part is not None:
        iterable = evaluate(vm, part.iter)
        length = length_of(iterable) if part is node.for_in and not part.ifs else None
        assign(vm, part.target, item_of(vm, iterable, part.iter))
        for condition in part.ifs:
            evaluate(vm, condition.test)
        part = part.inner_for_in
    item = evaluate(vm, node.elt)
    vm.frames.pop()
    return Many(item, length)


def _dict_comprehension(vm: Machine, node: cst.DictComp) -> Value:
    return Opaque("mapping")


def _walrus(vm: Machine, node: cst.NamedExpr) -> Value:
    value = evaluate(vm, node.value)
    assign(vm, node.target, value)
    return value


def _inner(vm: Machine, node: cst.Await) -> Value:
    evaluate(vm, node.expression)
    return Opaque("?")


def _yield(vm: Machine, node: cst.Yield) -> Value:
    if isinstance(node.value, cst.BaseExpression):
        evaluate(vm, node.value)
    vm.frame.returns.append(Opaque("generator"))
    return Opaque("?")


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


def item_of(vm: Machine, iterable: Value, node: cst.BaseExpression) -> Value:
    """What the first turn of a loop over `iterable` sees."""
    iterable = resolve(iterable)
    if isinstance(iterable, Tensor) and iterable.rank:
        return iterable.replaced(iterable.axes[1:])
    if isinstance(iterable, Tup) and iterable.items:
        first = iterable.items[0]
        for value in iterable.items[1:]:
            first = join(first, value, "item")
        return first
    if isinstance(iterable, Module) and iterable.items:
        first = iterable.items[0]
        for value in iterable.items[1:]:
            first = join(first, value, "item")
        return first
    if isinstance(iterable, Many):
        return iterable.item
    if isinstance(iterable, Range):
        return Num(Dim.of(Invented("i")))
    if isinstance(iterable, Module) and iterable.kind == "DataLoader":
        return Opaque("batch", meanings={0: "batch"})
    return Opaque(f"{dotted(node) or 'iterable'}[]")


CONSTANTS: dict[str, Value] = {"None": NONE, "True": Const(True), "False": Const(False)}

HANDLERS: dict[type, Callable[[Any, Any], Value]] = {
    cst.Name: _name,
    cst.Integer: _integer,
    cst.Float: _literal,
    cst.SimpleString: _literal,
    cst.ConcatenatedString: _text,
    cst.FormattedString: _text,
    cst.Ellipsis: _ellipsis,
    cst.Tuple: _sequence,
    cst.List: _sequence,
    cst.Set: _mapping,
    cst.Dict: _mapping,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.Subscript: _subscript,
    cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.Comparison: _comparison,
    cst.BooleanOperation: _boolean,
    cst.IfExp: _conditional,
    cst.Lambda: _lambda,
    cst.ListComp: _comprehension,
    cst.SetComp: _comprehension,
    cst.GeneratorExp: _comprehension,
    cst.DictComp: _dict_comprehension,
    cst.NamedExpr: _walrus,
    cst.Await: _inner,
    cst.Yield: _yield,
}
