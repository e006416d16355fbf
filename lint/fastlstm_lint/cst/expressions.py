"""Expressions and their parts."""

from __future__ import annotations

import ast

from ..source import Text
from .base import BaseCompOp, BaseExpression, CSTNode, Maybe, Operator


class Name(BaseExpression):
    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: str) -> None:
        self.at, self.text = at, text
        self.value = value


class Integer(BaseExpression):
    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: int) -> None:
        self.at, self.text = at, text
        self.value = value


class Constant(BaseExpression):
    """A literal that is no integer, True, False or None: a text, bytes, a float, an imaginary number, `...`."""

    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: object) -> None:
        self.at, self.text = at, text
        self.value = value


class FormattedString(BaseExpression):
    __slots__ = ("parts",)

    def __init__(self, at: ast.AST, text: Text, parts: tuple[BaseExpression, ...]) -> None:
        self.at, self.text = at, text
        self.parts = parts


class Element(CSTNode):
    """An entry of a tuple, list or set."""

    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.value = value


class StarredElement(BaseExpression):
    """`*value` in a tuple, list or set, or as a target."""

    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.value = value


Elements = tuple[Element | StarredElement, ...]


class Tuple(BaseExpression):
    __slots__ = ("elements",)

    def __init__(self, at: ast.AST, text: Text, elements: Elements) -> None:
        self.at, self.text = at, text
        self.elements = elements


class List(BaseExpression):
    __slots__ = ("elements",)

    def __init__(self, at: ast.AST, text: Text, elements: Elements) -> None:
        self.at, self.text = at, text
        self.elements = elements


class Set(BaseExpression):
    __slots__ = ("elements",)

    def __init__(self, at: ast.AST, text: Text, elements: Elements) -> None:
        self.at, self.text = at, text
        self.elements = elements


class DictElement(CSTNode):
    """An entry of a dict; the key of `**value` is None."""

    __slots__ = ("key", "value")

    def __init__(self, at: ast.AST, text: Text, key: Maybe, value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.key, self.value = key, value


class Dict(BaseExpression):
    __slots__ = ("elements",)

    def __init__(self, at: ast.AST, text: Text, elements: tuple[DictElement, ...]) -> None:
        self.at, self.text = at, text
        self.elements = elements


class Attribute(BaseExpression):
    __slots__ = ("attr", "value")

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression, attr: Name) -> None:
        self.at, self.text = at, text
        self.value, self.attr = value, attr


class Arg(CSTNode):
    """An argument; `star` is "", "*" or "**"."""

    __slots__ = ("keyword", "star", "value")

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression, keyword: Name | None, star: str) -> None:
        self.at, self.text = at, text
        self.value, self.keyword, self.star = value, keyword, star


class Call(BaseExpression):
    __slots__ = ("args", "func")

    def __init__(self, at: ast.AST, text: Text, func: BaseExpression, args: tuple[Arg, ...]) -> None:
        self.at, self.text = at, text
        self.func, self.args = func, args


class Index(CSTNode):
    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.value = value


class Slice(CSTNode):
    __slots__ = ("lower", "step", "upper")

    def __init__(self, at: ast.AST, text: Text, lower: Maybe, upper: Maybe, step: Maybe) -> None:
        self.at, self.text = at, text
        self.lower, self.upper, self.step = lower, upper, step


class SubscriptElement(CSTNode):
    __slots__ = ("slice",)

    def __init__(self, at: ast.AST, text: Text, slice: Index | Slice) -> None:
        self.at, self.text = at, text
        self.slice = slice


class Subscript(BaseExpression):
    __slots__ = ("slice", "value")

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression, slice: tuple[SubscriptElement, ...]) -> None:
        self.at, self.text = at, text
        self.value, self.slice = value, slice


class BinaryOperation(BaseExpression):
    __slots__ = ("left", "operator", "right")

    def __init__(
        self, at: ast.AST, text: Text, left: BaseExpression, operator: Operator, right: BaseExpression
    ) -> None:
        self.at, self.text = at, text
        self.left, self.operator, self.right = left, operator, right


class UnaryOperation(BaseExpression):
    __slots__ = ("expression", "operator")

    def __init__(self, at: ast.AST, text: Text, operator: Operator, expression: BaseExpression) -> None:
        self.at, self.text = at, text
        self.operator, self.expression = operator, expression


class BooleanOperation(BaseExpression):
    """`left and right`; of `a and b and c`, the left side is `a and b`, and has the place of the whole."""

    __slots__ = ("left", "operator", "right")

    def __init__(
        self, at: ast.AST, text: Text, left: BaseExpression, operator: Operator, right: BaseExpression
    ) -> None:
        self.at, self.text = at, text
        self.left, self.operator, self.right = left, operator, right


class ComparisonTarget(CSTNode):
    __slots__ = ("comparator", "operator")

    def __init__(self, at: ast.AST, text: Text, operator: BaseCompOp, comparator: BaseExpression) -> None:
        self.at, self.text = at, text
        self.operator, self.comparator = operator, comparator


class Comparison(BaseExpression):
    __slots__ = ("comparisons", "left")

    def __init__(
        self, at: ast.AST, text: Text, left: BaseExpression, comparisons: tuple[ComparisonTarget, ...]
    ) -> None:
        self.at, self.text = at, text
        self.left, self.comparisons = left, comparisons


class IfExp(BaseExpression):
    __slots__ = ("body", "orelse", "test")

    def __init__(
        self, at: ast.AST, text: Text, test: BaseExpression, body: BaseExpression, orelse: BaseExpression
    ) -> None:
        self.at, self.text = at, text
        self.test, self.body, self.orelse = test, body, orelse


class NamedExpr(BaseExpression):
    __slots__ = ("target", "value")

    def __init__(self, at: ast.AST, text: Text, target: BaseExpression, value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.target, self.value = target, value


class Await(BaseExpression):
    __slots__ = ("expression",)

    def __init__(self, at: ast.AST, text: Text, expression: BaseExpression) -> None:
        self.at, self.text = at, text
        self.expression = expression


class Yield(BaseExpression):
    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: Maybe) -> None:
        self.at, self.text = at, text
        self.value = value


class Annotation(CSTNode):
    __slots__ = ("annotation",)

    def __init__(self, at: ast.AST, text: Text, annotation: BaseExpression) -> None:
        self.at, self.text = at, text
        self.annotation = annotation


class Param(CSTNode):
    __slots__ = ("annotation", "default", "name")

    def __init__(self, at: ast.AST, text: Text, name: Name, annotation: Annotation | None, default: Maybe) -> None:
        self.at, self.text = at, text
        self.name, self.annotation, self.default = name, annotation, default


Params = tuple[Param, ...]


class Parameters(CSTNode):
    __slots__ = ("kwonly_params", "params", "posonly_params", "star_arg", "star_kwarg")

    def __init__(
        self,
        at: ast.AST,
        text: Text,
        posonly_params: Params,
        params: Params,
        star_arg: Param | None,
        kwonly_params: Params,
        star_kwarg: Param | None,
    ) -> None:
        self.at, self.text = at, text
        self.posonly_params, self.params, self.star_arg, self.kwonly_params, self.star_kwarg = (
            posonly_params,
            params,
            star_arg,
            kwonly_params,
            star_kwarg,
        )


class Lambda(BaseExpression):
    __slots__ = ("body", "params")

    def __init__(self, at: ast.AST, text: Text, params: Parameters, body: BaseExpression) -> None:
        self.at, self.text = at, text
        self.params, self.body = params, body


class CompFor(CSTNode):
    __slots__ = ("ifs", "inner_for_in", "iter", "target")

    def __init__(
        self,
        at: ast.AST,
        text: Text,
        target: BaseExpression,
        iter: BaseExpression,
        ifs: tuple[BaseExpression, ...],
        inner_for_in: CompFor | None,
    ) -> None:
        self.at, self.text = at, text
        self.target, self.iter, self.ifs, self.inner_for_in = target, iter, ifs, inner_for_in


class BaseSimpleComp(BaseExpression):
    __slots__ = ("elt", "for_in")

    def __init__(self, at: ast.AST, text: Text, elt: BaseExpression, for_in: CompFor) -> None:
        self.at, self.text = at, text
        self.elt, self.for_in = elt, for_in


class ListComp(BaseSimpleComp):
    __slots__ = ()


class SetComp(BaseSimpleComp):
    __slots__ = ()


class GeneratorExp(BaseSimpleComp):
    __slots__ = ()


class DictComp(BaseExpression):
    __slots__ = ("for_in", "key", "value")

    def __init__(self, at: ast.AST, text: Text, key: BaseExpression, value: BaseExpression, for_in: CompFor) -> None:
        self.at, self.text = at, text
        self.key, self.value, self.for_in = key, value, for_in


class Other(BaseExpression):
    """An expression of which nothing is known, as a later Python may have."""

    __slots__ = ()


BaseSlice = Index | Slice
