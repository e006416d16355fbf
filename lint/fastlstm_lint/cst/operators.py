"""Operators."""

from __future__ import annotations

from .base import BaseCompOp, Operator


class Add(Operator):
    __slots__ = ()


class Subtract(Operator):
    __slots__ = ()


class Multiply(Operator):
    __slots__ = ()


class Divide(Operator):
    __slots__ = ()


class FloorDivide(Operator):
    __slots__ = ()


class Modulo(Operator):
    __slots__ = ()


class Power(Operator):
    __slots__ = ()


class MatrixMultiply(Operator):
    __slots__ = ()


class LeftShift(Operator):
    __slots__ = ()


class RightShift(Operator):
    __slots__ = ()


class BitAnd(Operator):
    __slots__ = ()


class BitOr(Operator):
    __slots__ = ()


class BitXor(Operator):
    __slots__ = ()


class And(Operator):
    __slots__ = ()


class Or(Operator):
    __slots__ = ()


class Not(Operator):
    __slots__ = ()


class Plus(Operator):
    __slots__ = ()


class Minus(Operator):
    __slots__ = ()


class BitInvert(Operator):
    __slots__ = ()


class Equal(BaseCompOp):
    __slots__ = ()


class NotEqual(BaseCompOp):
    __slots__ = ()


class LessThan(BaseCompOp):
    __slots__ = ()


class LessThanEqual(BaseCompOp):
    __slots__ = ()


class GreaterThan(BaseCompOp):
    __slots__ = ()


class GreaterThanEqual(BaseCompOp):
    __slots__ = ()


class Is(BaseCompOp):
    __slots__ = ()


class IsNot(BaseCompOp):
    __slots__ = ()


class In(BaseCompOp):
    __slots__ = ()


class NotIn(BaseCompOp):
    __slots__ = ()
