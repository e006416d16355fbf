"""Operators: arithmetic, comparisons, `and`, `or`, `not` and conditional expressions."""

from __future__ import annotations

from .. import cst
from ..dims import Dim, Symbol
from ..signatures import broadcast
from ..values import MOST_ITEMS, Condition, Const, Num, Opaque, Tensor, Tup, Value, dim_of, int_of, resolve
from .join import join
from .truth import by_flag, compare, flag_of, is_none, large_if_true, tested_for_none, truth
from .walk import Walk


def evaluate_binary(vm: Walk, node: cst.BinaryOperation) -> Value:
    left, right = vm.evaluate(node.left), vm.evaluate(node.right)
    return binary(vm, node, type(node.operator).__name__, left, right)


def binary(vm: Walk, node: cst.CSTNode, operator: str, left: Value, right: Value) -> Value:
    """An arithmetic operator on two values; `operator` is its name in `cst`."""
    left, right = resolve(left), resolve(right)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return broadcast.operator(vm, node, operator, left, right)
    if isinstance(left, Tup) and isinstance(right, Tup) and operator == "Add":
        many = len(left.items) + len(right.items) > MOST_ITEMS
        return Opaque("items") if many else Tup(left.items + right.items, left.is_list)
    if isinstance(left, Tup) and operator == "Multiply" and (times := int_of(right)) is not None and times < 64:
        many = len(left.items) * times > MOST_ITEMS
        return Opaque("items") if many else Tup(left.items * times, left.is_list)
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


def evaluate_unary(vm: Walk, node: cst.UnaryOperation) -> Value:
    value = resolve(vm.evaluate(node.expression))
    if isinstance(node.operator, cst.Not):
        answer = truth(value)
        if answer is None:
            return Condition(frozenset(), value.ones_else, value.ones) if isinstance(value, Condition) else Condition()
        return Const(not answer)
    if isinstance(value, Tensor):
        return broadcast.negated(vm, node, value)
    if isinstance(node.operator, cst.Minus):
        if isinstance(value, Num):
            return Num(-value.dim)
        if isinstance(value, Const) and isinstance(value.value, float):
            return Const(-value.value)
    return Opaque("?")


def evaluate_comparison(vm: Walk, node: cst.Comparison) -> Value:
    left = first = resolve(vm.evaluate(node.left))
    answers = []
    result: Value = Condition()
    single = len(node.comparisons) == 1
    for target in node.comparisons:
        right = resolve(vm.evaluate(target.comparator))
        answers.append(compare(target.operator, left, right))
        if single:
            result = Condition(_large(node, left), *_ones(target.operator, left, right))
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            result = broadcast.operator(vm, node, "Compare", left, right)
        left = right
    if all(answer is True for answer in answers):
        return Const(True)
    if any(answer is False for answer in answers):
        return Const(False)
    if single and isinstance(node.comparisons[0].operator, cst.Equal):
        return _choice(first, right) or result
    return result


def _choice(left: Value, right: Value) -> Opaque | None:
    """`kind == "bi"` of an unknown: the same unknown truth wherever it is asked."""
    if not isinstance(left, Opaque) or not isinstance(right, Const) or not isinstance(right.value, str):
        return None
    asked = left.attribute(f"== {right.value!r}")
    asked.name = f"{left.name} == {right.value!r}"
    return asked


def _large(node: cst.Comparison, left: Value) -> frozenset[Symbol]:
    operator = node.comparisons[0].operator
    size = dim_of(left)
    above = isinstance(operator, (cst.GreaterThan, cst.GreaterThanEqual, cst.NotEqual))
    return frozenset(size.symbols()) if above and size is not None else frozenset()


def _ones(operator: cst.BaseCompOp, left: Value, right: Value) -> tuple[frozenset[Symbol], frozenset[Symbol]]:
    """The sizes that are 1 where a comparison holds, and those that are where it does not."""
    none: frozenset[Symbol] = frozenset()
    size = left if int_of(right) == 1 else right if int_of(left) == 1 else None
    symbol = size.dim.symbol if isinstance(size, Num) else None
    if symbol is None:
        return none, none
    own = frozenset({symbol})
    if isinstance(operator, cst.Equal):
        return own, none
    above = cst.GreaterThan if size is left else cst.LessThan
    return (none, own) if isinstance(operator, (cst.NotEqual, above)) else (none, none)


def evaluate_boolean(vm: Walk, node: cst.BooleanOperation) -> Value:
    left = vm.evaluate(node.left)
    answer = truth(left)
    is_and = isinstance(node.operator, cst.And)
    if answer is not None and answer != is_and:
        return left
    right = vm.evaluate(node.right)
    if answer is not None:
        return right
    if is_and and truth(right) is False:
        return right
    none: frozenset[Symbol] = frozenset()
    sides = [each if isinstance(each, Condition) else Condition() for each in (left, right)]
    ones = sides[0].ones | sides[1].ones if is_and else none
    ones_else = none if is_and else sides[0].ones_else | sides[1].ones_else
    return Condition(large_if_true(left) | large_if_true(right), ones, ones_else)


def evaluate_conditional(vm: Walk, node: cst.IfExp) -> Value:
    test = vm.evaluate(node.test)
    answer = truth(test)
    if answer is not None:
        return vm.evaluate(node.body if answer else node.orelse)
    body, orelse = vm.evaluate(node.body), vm.evaluate(node.orelse)
    if (chosen := by_flag(test, body, orelse)) is not None:
        return chosen
    if body == Const(True) and orelse == Const(False):
        return flag_of(test) or Opaque("?")
    filled = tested_for_none(node.test)
    if filled is not None:
        given, other = (orelse, body) if filled[1] else (body, orelse)
        if isinstance(given, Opaque) and given.settled is None and is_none(other) is False:
            return other
    return join(body, orelse, "?")
