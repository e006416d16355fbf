"""Expressions of the linter's syntax tree, made from Python's own."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from .. import cst
from ..source import Text

Made = Any
"""A node of `cst`, of the kind that the field it goes into asks for."""


def expression(node: ast.expr, text: Text) -> Made:
    return EXPRESSIONS.get(node.__class__, cst.Other)(node, text)


def optional(node: ast.expr | None, text: Text) -> Made:
    return None if node is None else EXPRESSIONS.get(node.__class__, cst.Other)(node, text)


def _name(node: Any, text: Text) -> Made:
    return cst.Name(node, text, node.id)


def _constant(node: Any, text: Text) -> Made:
    value = node.value
    if value.__class__ is int:
        return cst.Integer(node, text, value)
    if value is None or value is True or value is False:
        return cst.Name(node, text, str(value))
    return cst.Constant(node, text, value)


def _formatted(node: Any, text: Text) -> Made:
    parts: list[ast.expr] = []
    for each in node.values:
        if isinstance(each, ast.FormattedValue):
            parts.append(each.value)
            if isinstance(each.format_spec, ast.JoinedStr):
                parts.append(each.format_spec)
    return cst.FormattedString(node, text, tuple([expression(each, text) for each in parts]))


def elements(nodes: Iterable[ast.expr], text: Text) -> tuple[Made, ...]:
    return tuple(
        [
            _starred(each, text) if each.__class__ is ast.Starred else cst.Element(each, text, expression(each, text))
            for each in nodes
        ]
    )


def _starred(node: Any, text: Text) -> Made:
    return cst.StarredElement(node, text, expression(node.value, text))


def _tuple(node: Any, text: Text) -> Made:
    return cst.Tuple(node, text, elements(node.elts, text))


def _list(node: Any, text: Text) -> Made:
    return cst.List(node, text, elements(node.elts, text))


def _set(node: Any, text: Text) -> Made:
    return cst.Set(node, text, elements(node.elts, text))


def _dict(node: Any, text: Text) -> Made:
    pairs = zip(node.keys, node.values, strict=True)
    return cst.Dict(
        node,
        text,
        tuple([cst.DictElement(value, text, optional(key, text), expression(value, text)) for key, value in pairs]),
    )


def _attribute(node: Any, text: Text) -> Made:
    value = node.value
    base = EXPRESSIONS.get(value.__class__, cst.Other)(value, text)
    return cst.Attribute(node, text, base, cst.Name(node, text, node.attr))


def _call(node: Any, text: Text) -> Made:
    func = node.func
    args = [arg(each, text) for each in node.args]
    if node.keywords:
        args += [keyword(each, text) for each in node.keywords]
        if any(arg.star for arg in args):  # `*x` may stand behind a keyword
            args.sort(key=lambda arg: (arg.at.lineno, arg.at.col_offset))  # type: ignore[attr-defined]
    return cst.Call(node, text, EXPRESSIONS.get(func.__class__, cst.Other)(func, text), tuple(args))


def arg(node: Any, text: Text) -> cst.Arg:
    if node.__class__ is ast.Starred:
        return cst.Arg(node, text, expression(node.value, text), None, "*")
    return cst.Arg(node, text, EXPRESSIONS.get(node.__class__, cst.Other)(node, text), None, "")


def keyword(node: Any, text: Text) -> cst.Arg:
    value = expression(node.value, text)
    if node.arg is None:
        return cst.Arg(node, text, value, None, "**")
    return cst.Arg(node, text, value, cst.Name(node, text, node.arg), "")


def _subscript(node: Any, text: Text) -> Made:
    items = node.slice.elts if node.slice.__class__ is ast.Tuple and node.slice.elts else [node.slice]
    return cst.Subscript(
        node,
        text,
        expression(node.value, text),
        tuple([cst.SubscriptElement(each, text, _index(each, text)) for each in items]),
    )


def _index(node: Any, text: Text) -> cst.BaseSlice:
    if node.__class__ is ast.Slice:
        return cst.Slice(node, text, optional(node.lower, text), optional(node.upper, text), optional(node.step, text))
    return cst.Index(node, text, expression(node, text))


def _binary(node: Any, text: Text) -> Made:
    operator = OPERATORS[node.op.__class__]
    return cst.BinaryOperation(node, text, expression(node.left, text), operator, expression(node.right, text))


def _unary(node: Any, text: Text) -> Made:
    return cst.UnaryOperation(node, text, OPERATORS[node.op.__class__], expression(node.operand, text))


def _boolean(node: Any, text: Text) -> Made:
    first, *rest = node.values
    operator = OPERATORS[node.op.__class__]
    left = expression(first, text)
    for each in rest:
        left = cst.BooleanOperation(node, text, left, operator, expression(each, text))
    return left


def _comparison(node: Any, text: Text) -> Made:
    targets = [
        cst.ComparisonTarget(each, text, COMPARISONS[operator.__class__], expression(each, text))
        for operator, each in zip(node.ops, node.comparators, strict=True)
    ]
    return cst.Comparison(node, text, expression(node.left, text), tuple(targets))


def _conditional(node: Any, text: Text) -> Made:
    return cst.IfExp(
        node, text, expression(node.test, text), expression(node.body, text), expression(node.orelse, text)
    )


def _named(node: Any, text: Text) -> Made:
    return cst.NamedExpr(node, text, expression(node.target, text), expression(node.value, text))


def _await(node: Any, text: Text) -> Made:
    return cst.Await(node, text, expression(node.value, text))


def _yield(node: Any, text: Text) -> Made:
    return cst.Yield(node, text, optional(node.value, text))


def _lambda(node: Any, text: Text) -> Made:
    return cst.Lambda(node, text, parameters(node, node.args, text), expression(node.body, text))


def parameters(at: ast.AST, args: ast.arguments, text: Text) -> cst.Parameters:
    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
    made = [_param(each, default, text) for each, default in zip(plain, [*defaults, *args.defaults], strict=True)]
    keyword_only = [
        _param(each, default, text) for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    count = len(args.posonlyargs)
    return cst.Parameters(
        at,
        text,
        tuple(made[:count]),
        tuple(made[count:]),
        None if args.vararg is None else _param(args.vararg, None, text),
        tuple(keyword_only),
        None if args.kwarg is None else _param(args.kwarg, None, text),
    )


def _param(node: ast.arg, default: ast.expr | None, text: Text) -> cst.Param:
    return cst.Param(
        node, text, cst.Name(node, text, node.arg), annotation(node.annotation, text), optional(default, text)
    )


def annotation(node: ast.expr | None, text: Text) -> cst.Annotation | None:
    return None if node is None else cst.Annotation(node, text, expression(node, text))


def _simple_comprehension(kind: Any) -> Callable[[Any, Text], Made]:
    def made(node: Any, text: Text) -> Made:
        return kind(node, text, expression(node.elt, text), _for_in(node, text))

    return made


def _dict_comprehension(node: Any, text: Text) -> Made:
    return cst.DictComp(node, text, expression(node.key, text), expression(node.value, text), _for_in(node, text))


def _for_in(node: Any, text: Text) -> cst.CompFor:
    inner: Any = None
    for each in reversed(node.generators):
        tests = tuple([expression(test, text) for test in each.ifs])
        inner = cst.CompFor(each.target, text, expression(each.target, text), expression(each.iter, text), tests, inner)
    return inner


OPERATORS: dict[type, cst.Operator] = {
    ast.Add: cst.Add(),
    ast.Sub: cst.Subtract(),
    ast.Mult: cst.Multiply(),
    ast.Div: cst.Divide(),
    ast.FloorDiv: cst.FloorDivide(),
    ast.Mod: cst.Modulo(),
    ast.Pow: cst.Power(),
    ast.MatMult: cst.MatrixMultiply(),
    ast.LShift: cst.LeftShift(),
    ast.RShift: cst.RightShift(),
    ast.BitAnd: cst.BitAnd(),
    ast.BitOr: cst.BitOr(),
    ast.BitXor: cst.BitXor(),
    ast.And: cst.And(),
    ast.Or: cst.Or(),
    ast.Not: cst.Not(),
    ast.UAdd: cst.Plus(),
    ast.USub: cst.Minus(),
    ast.Invert: cst.BitInvert(),
}

COMPARISONS: dict[type, cst.BaseCompOp] = {
    ast.Eq: cst.Equal(),
    ast.NotEq: cst.NotEqual(),
    ast.Lt: cst.LessThan(),
    ast.LtE: cst.LessThanEqual(),
    ast.Gt: cst.GreaterThan(),
    ast.GtE: cst.GreaterThanEqual(),
    ast.Is: cst.Is(),
    ast.IsNot: cst.IsNot(),
    ast.In: cst.In(),
    ast.NotIn: cst.NotIn(),
}

EXPRESSIONS: dict[type, Callable[[Any, Text], Made]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.JoinedStr: _formatted,
    ast.Starred: _starred,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _comparison,
    ast.IfExp: _conditional,
    ast.NamedExpr: _named,
    ast.Await: _await,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
    ast.Lambda: _lambda,
    ast.ListComp: _simple_comprehension(cst.ListComp),
    ast.SetComp: _simple_comprehension(cst.SetComp),
    ast.GeneratorExp: _simple_comprehension(cst.GeneratorExp),
    ast.DictComp: _dict_comprehension,
}
