"""Conditions: what a test says for certain, and which names it says something about."""

from __future__ import annotations

from .. import cst
from ..dims import Symbol
from ..tensors import GUESSED
from ..values import (
    NONE,
    Class,
    Condition,
    Const,
    Flag,
    Function,
    Instance,
    Module,
    Name,
    Num,
    Opaque,
    Packed,
    Range,
    Tensor,
    Tup,
    Value,
    int_of,
    resolve,
)


def truth(value: Value) -> bool | None:
    """Whether a value counts as true; None where it cannot be told."""
    if isinstance(value, Const):
        return bool(value.value) if value.value is not Ellipsis else True
    if isinstance(value, Num):
        number = value.dim.value
        if number is not None:
            return number != 0
        return True if value.axis is not None else None  # an axis without entries is not what a test is about
    if isinstance(value, Tup):
        return bool(value.items)
    if isinstance(value, (Module, Function, Class, Name, Range)):
        return None if isinstance(value, Name) else True
    return None


def is_none(value: Value) -> bool | None:
    """Whether a value is None; None where it cannot be told."""
    if value == NONE:
        return True
    if isinstance(value, Opaque):
        return False if value.default is not None else None
    if isinstance(value, (Tensor, Tup, Num, Module, Instance, Function, Class, Packed, Const)):
        return False
    return None


KINDS = {
    "torch.Tensor": Tensor,
    "torch.nn.utils.rnn.PackedSequence": Packed,
    "builtins.int": Num,
    "builtins.list": Tup,
    "builtins.tuple": Tup,
}
"""The values that are objects of these classes."""


def is_kind(value: Value, kinds: Value) -> bool | None:
    """`isinstance(value, kinds)`; None where it cannot be told."""
    if isinstance(kinds, Tup):
        answers = [is_kind(value, kind) for kind in kinds.items]
        return True if True in answers else None if None in answers else False
    name = kinds.only if isinstance(kinds, Name) else None
    if name not in KINDS or not isinstance(value, (Tensor, Packed, Num, Tup)):
        return None
    if isinstance(value, Tensor) and GUESSED in value.traits:
        return None
    if name in ("builtins.list", "builtins.tuple") and isinstance(value, Tup):
        return value.is_list == (name == "builtins.list")
    return isinstance(value, KINDS[name])


def large_if_true(value: Value) -> frozenset[Symbol]:
    """The sizes of which one is not at its smallest where a test holds: `bidirectional or num_layers > 1`."""
    if isinstance(value, Condition):
        return value.large
    if isinstance(value, Flag):
        return frozenset(value.count.symbols())
    if isinstance(value, Opaque) and value.settled is None:
        return frozenset(value.attribute("directions").number.symbols())
    return frozenset()


def flag_of(value: Value) -> Flag | None:
    """A truth value that is not known, as a flag: an argument, or an unknown used as one."""
    if isinstance(value, Opaque) and value.settled is None:
        return Flag(value.name, value.attribute("directions").number)
    return value if isinstance(value, Flag) else None


def by_flag(test: Value, taken: Value, other: Value) -> Num | None:
    """`taken if test else other` where both are known integers: a size in terms of the flag's symbol."""
    flag, a, b = flag_of(test), int_of(taken), int_of(other)
    if flag is None or a is None or b is None:
        return None
    return Num((flag.count - 1) * (a - b) + b)


def tested_for_none(test: cst.BaseExpression) -> tuple[cst.BaseExpression, bool] | None:
    """For `x is None` and `not x`: x and True; for `x is not None`: x and False; else None."""
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        target = test.comparisons[0]
        if isinstance(target.comparator, cst.Name) and target.comparator.value == "None":
            if isinstance(target.operator, (cst.Is, cst.Equal)):
                return test.left, True
            if isinstance(target.operator, (cst.IsNot, cst.NotEqual)):
                return test.left, False
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        if isinstance(test.expression, (cst.Name, cst.Attribute)):
            return test.expression, True
        inner = tested_for_none(test.expression)
        return None if inner is None else (inner[0], not inner[1])
    return None


def _among(value: Value, container: Value) -> bool | None:
    """Whether a literal is one of a sequence of literals, or a part of a text."""
    if isinstance(container, Const):
        texts = [each.value for each in (value, container) if isinstance(each, Const) and isinstance(each.value, str)]
        return texts[0] in texts[1] if len(texts) == 2 else None
    if not isinstance(container, Tup):
        return None
    answers = [compare(EQUAL, resolve(value), resolve(each)) for each in container.items]
    return True if True in answers else None if None in answers else False


EQUAL = cst.Equal()


def compare(operator: cst.BaseCompOp, left: Value, right: Value) -> bool | None:
    """A comparison of two values; None where it cannot be told."""
    if isinstance(operator, (cst.Is, cst.IsNot)):
        for a, b in ((left, right), (right, left)):
            if b == NONE and (answer := is_none(a)) is not None:
                return answer == isinstance(operator, cst.Is)
        if isinstance(left, Const) and isinstance(right, Const):
            return (left == right) == isinstance(operator, cst.Is)
        if isinstance(left, Name) and isinstance(right, Name) and left.only in KINDS and right.only in KINDS:
            return (left.only == right.only) == isinstance(operator, cst.Is)
        return None
    if isinstance(operator, (cst.In, cst.NotIn)):
        answer = _among(left, right)
        return None if answer is None else answer == isinstance(operator, cst.In)
    if isinstance(left, Const) and isinstance(right, Const):
        if isinstance(operator, cst.Equal):
            return bool(left.value == right.value)
        if isinstance(operator, cst.NotEqual):
            return bool(left.value != right.value)
        return None
    if isinstance(left, Name) and isinstance(right, Name) and left.only in KINDS and right.only in KINDS:
        if isinstance(operator, (cst.Equal, cst.NotEqual)):
            return (left.only == right.only) == isinstance(operator, cst.Equal)
        return None
    if isinstance(left, Num) and isinstance(right, Num):
        x, y = left.dim.value, right.dim.value
        if x is None or y is None:
            return None
        answers: dict[type[cst.BaseCompOp], bool] = {
            cst.Equal: x == y,
            cst.NotEqual: x != y,
            cst.LessThan: x < y,
            cst.LessThanEqual: x <= y,
            cst.GreaterThan: x > y,
            cst.GreaterThanEqual: x >= y,
        }
        return answers.get(type(operator))
    return None
