"""The linter's syntax tree, made from Python's own."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import cst
from .source import Text

Made = Any
"""A node of `cst`, of the kind that the field it goes into asks for."""


def build(tree: ast.Module, text: Text) -> cst.Module:
    """The tree of a module."""
    return cst.Module(tree, text, tuple(_statements(tree.body, text)))


def _statements(body: Iterable[ast.stmt], text: Text) -> list[Made]:
    found = []
    for each in body:
        try:
            found.append(STATEMENTS.get(each.__class__, cst.Pass)(each, text))
        except RecursionError:
            text.too_deep = True
    return found


def _suite(at: ast.AST, body: Sequence[ast.stmt], text: Text) -> cst.BaseSuite:
    return cst.BaseSuite(at, text, tuple(_statements(body, text)))


def _expression(node: ast.expr, text: Text) -> Made:
    return EXPRESSIONS.get(node.__class__, cst.Other)(node, text)


def _optional(node: ast.expr | None, text: Text) -> Made:
    return None if node is None else EXPRESSIONS.get(node.__class__, cst.Other)(node, text)


# --- expressions


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
    return cst.FormattedString(node, text, tuple([_expression(each, text) for each in parts]))


def _elements(nodes: Iterable[ast.expr], text: Text) -> tuple[Made, ...]:
    return tuple(
        [
            _starred(each, text) if each.__class__ is ast.Starred else cst.Element(each, text, _expression(each, text))
            for each in nodes
        ]
    )


def _starred(node: Any, text: Text) -> Made:
    return cst.StarredElement(node, text, _expression(node.value, text))


def _tuple(node: Any, text: Text) -> Made:
    return cst.Tuple(node, text, _elements(node.elts, text))


def _list(node: Any, text: Text) -> Made:
    return cst.List(node, text, _elements(node.elts, text))


def _set(node: Any, text: Text) -> Made:
    return cst.Set(node, text, _elements(node.elts, text))


def _dict(node: Any, text: Text) -> Made:
    pairs = zip(node.keys, node.values, strict=True)
    return cst.Dict(
        node,
        text,
        tuple([cst.DictElement(value, text, _optional(key, text), _expression(value, text)) for key, value in pairs]),
    )


def _attribute(node: Any, text: Text) -> Made:
    value = node.value
    base = EXPRESSIONS.get(value.__class__, cst.Other)(value, text)
    return cst.Attribute(node, text, base, cst.Name(node, text, node.attr))


def _call(node: Any, text: Text) -> Made:
    func = node.func
    args = [_arg(each, text) for each in node.args]
    if node.keywords:
        args += [_keyword(each, text) for each in node.keywords]
        if any(arg.star for arg in args):  # `*x` may stand behind a keyword
            args.sort(key=lambda arg: (arg.at.lineno, arg.at.col_offset))  # type: ignore[attr-defined]
    return cst.Call(node, text, EXPRESSIONS.get(func.__class__, cst.Other)(func, text), tuple(args))


def _arg(node: Any, text: Text) -> cst.Arg:
    if node.__class__ is ast.Starred:
        return cst.Arg(node, text, _expression(node.value, text), None, "*")
    return cst.Arg(node, text, EXPRESSIONS.get(node.__class__, cst.Other)(node, text), None, "")


def _keyword(node: Any, text: Text) -> cst.Arg:
    value = _expression(node.value, text)
    if node.arg is None:
        return cst.Arg(node, text, value, None, "**")
    return cst.Arg(node, text, value, cst.Name(node, text, node.arg), "")


def _subscript(node: Any, text: Text) -> Made:
    items = node.slice.elts if node.slice.__class__ is ast.Tuple and node.slice.elts else [node.slice]
    return cst.Subscript(
        node,
        text,
        _expression(node.value, text),
        tuple([cst.SubscriptElement(each, text, _index(each, text)) for each in items]),
    )


def _index(node: Any, text: Text) -> cst.BaseSlice:
    if node.__class__ is ast.Slice:
        return cst.Slice(
            node, text, _optional(node.lower, text), _optional(node.upper, text), _optional(node.step, text)
        )
    return cst.Index(node, text, _expression(node, text))


def _binary(node: Any, text: Text) -> Made:
    operator = OPERATORS[node.op.__class__]
    return cst.BinaryOperation(node, text, _expression(node.left, text), operator, _expression(node.right, text))


def _unary(node: Any, text: Text) -> Made:
    return cst.UnaryOperation(node, text, OPERATORS[node.op.__class__], _expression(node.operand, text))


def _boolean(node: Any, text: Text) -> Made:
    first, *rest = node.values
    operator = OPERATORS[node.op.__class__]
    left = _expression(first, text)
    for each in rest:
        left = cst.BooleanOperation(node, text, left, operator, _expression(each, text))
    return left


def _comparison(node: Any, text: Text) -> Made:
    targets = [
        cst.ComparisonTarget(each, text, COMPARISONS[operator.__class__], _expression(each, text))
        for operator, each in zip(node.ops, node.comparators, strict=True)
    ]
    return cst.Comparison(node, text, _expression(node.left, text), tuple(targets))


def _conditional(node: Any, text: Text) -> Made:
    return cst.IfExp(
        node, text, _expression(node.test, text), _expression(node.body, text), _expression(node.orelse, text)
    )


def _named(node: Any, text: Text) -> Made:
    return cst.NamedExpr(node, text, _expression(node.target, text), _expression(node.value, text))


def _await(node: Any, text: Text) -> Made:
    return cst.Await(node, text, _expression(node.value, text))


def _yield(node: Any, text: Text) -> Made:
    return cst.Yield(node, text, _optional(node.value, text))


def _lambda(node: Any, text: Text) -> Made:
    return cst.Lambda(node, text, _parameters(node, node.args, text), _expression(node.body, text))


def _parameters(at: ast.AST, args: ast.arguments, text: Text) -> cst.Parameters:
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
        node, text, cst.Name(node, text, node.arg), _annotation(node.annotation, text), _optional(default, text)
    )


def _annotation(node: ast.expr | None, text: Text) -> cst.Annotation | None:
    return None if node is None else cst.Annotation(node, text, _expression(node, text))


def _simple_comprehension(kind: Any) -> Callable[[Any, Text], Made]:
    def made(node: Any, text: Text) -> Made:
        return kind(node, text, _expression(node.elt, text), _for_in(node, text))

    return made


def _dict_comprehension(node: Any, text: Text) -> Made:
    return cst.DictComp(node, text, _expression(node.key, text), _expression(node.value, text), _for_in(node, text))


def _for_in(node: Any, text: Text) -> cst.CompFor:
    inner: Any = None
    for each in reversed(node.generators):
        tests = tuple([_expression(test, text) for test in each.ifs])
        inner = cst.CompFor(
            each.target, text, _expression(each.target, text), _expression(each.iter, text), tests, inner
        )
    return inner


# --- statements


def _expr(node: Any, text: Text) -> Made:
    return cst.Expr(node, text, _expression(node.value, text))


def _assign(node: Any, text: Text) -> Made:
    targets = tuple([cst.AssignTarget(each, text, _expression(each, text)) for each in node.targets])
    return cst.Assign(node, text, targets, _expression(node.value, text))


def _ann_assign(node: Any, text: Text) -> Made:
    annotation = cst.Annotation(node.annotation, text, _expression(node.annotation, text))
    return cst.AnnAssign(node, text, _expression(node.target, text), annotation, _optional(node.value, text))


def _aug_assign(node: Any, text: Text) -> Made:
    operator = OPERATORS[node.op.__class__]
    return cst.AugAssign(node, text, _expression(node.target, text), operator, _expression(node.value, text))


def _return(node: Any, text: Text) -> Made:
    return cst.Return(node, text, _optional(node.value, text))


def _raise(node: Any, text: Text) -> Made:
    return cst.Raise(node, text, _optional(node.exc, text))


def _assert(node: Any, text: Text) -> Made:
    return cst.Assert(node, text, _expression(node.test, text), _optional(node.msg, text))


def _del(node: Any, text: Text) -> Made:
    if len(node.targets) == 1:
        return cst.Del(node, text, _expression(node.targets[0], text))
    return cst.Del(node, text, cst.Tuple(node, text, _elements(node.targets, text)))


def _global(node: Any, text: Text) -> Made:
    return cst.Global(node, text, tuple(node.names))


def _aliases(node: Any, text: Text) -> tuple[cst.ImportAlias, ...]:
    return tuple([cst.ImportAlias(each, text, each.name, each.asname) for each in node.names])


def _import(node: Any, text: Text) -> Made:
    return cst.Import(node, text, _aliases(node, text))


def _import_from(node: Any, text: Text) -> Made:
    return cst.ImportFrom(node, text, node.module or "", node.level or 0, _aliases(node, text))


def _decorators(node: Any, text: Text) -> tuple[cst.Decorator, ...]:
    return tuple([cst.Decorator(each, text, _expression(each, text)) for each in node.decorator_list])


def _function(node: Any, text: Text) -> Made:
    return cst.FunctionDef(
        node,
        text,
        cst.Name(node, text, node.name),
        _parameters(node, node.args, text),
        _suite(node, node.body, text),
        _decorators(node, text),
        _annotation(node.returns, text),
    )


def _class(node: Any, text: Text) -> Made:
    return cst.ClassDef(
        node,
        text,
        cst.Name(node, text, node.name),
        tuple([_arg(each, text) for each in node.bases]),
        tuple([_keyword(each, text) for each in node.keywords]),
        _suite(node, node.body, text),
        _decorators(node, text),
    )


def _else(node: Any, body: Sequence[ast.stmt], text: Text) -> cst.Else | None:
    return cst.Else(node, text, _suite(node, body, text)) if body else None


def _if(node: Any, text: Text) -> Made:
    # Hundreds of `elif` are a chain, each in the `orelse` of the one before: it is built from its end.
    chain = [node]
    while len(chain[-1].orelse) == 1 and chain[-1].orelse[0].__class__ is ast.If:
        chain.append(chain[-1].orelse[0])
    orelse: Any = _else(chain[-1], chain[-1].orelse, text)
    for each in reversed(chain):
        orelse = cst.If(each, text, _expression(each.test, text), _suite(each, each.body, text), orelse)
    return orelse


def _for(node: Any, text: Text) -> Made:
    return cst.For(
        node,
        text,
        _expression(node.target, text),
        _expression(node.iter, text),
        _suite(node, node.body, text),
        _else(node, node.orelse, text),
    )


def _while(node: Any, text: Text) -> Made:
    body, orelse = _suite(node, node.body, text), _else(node, node.orelse, text)
    return cst.While(node, text, _expression(node.test, text), body, orelse)


def _with(node: Any, text: Text) -> Made:
    items = [
        cst.WithItem(each.context_expr, text, _expression(each.context_expr, text), _optional(each.optional_vars, text))
        for each in node.items
    ]
    return cst.With(node, text, tuple(items), _suite(node, node.body, text))


def _try(node: Any, text: Text) -> Made:
    handlers = [
        cst.ExceptHandler(each, text, _optional(each.type, text), each.name, _suite(each, each.body, text))
        for each in node.handlers
    ]
    orelse, final = _else(node, node.orelse, text), _else(node, node.finalbody, text)
    return cst.Try(node, text, _suite(node, node.body, text), tuple(handlers), orelse, final)


def _match(node: Any, text: Text) -> Made:
    cases = [
        cst.MatchCase(
            each.pattern,
            text,
            tuple(_captured(each.pattern)),
            _optional(each.guard, text),
            _suite(each.pattern, each.body, text),
        )
        for each in node.cases
    ]
    return cst.Match(node, text, _expression(node.subject, text), tuple(cases))


def _captured(pattern: ast.pattern) -> list[str]:
    """The names that a pattern binds."""
    nodes = list(ast.walk(pattern))
    found = [each.name for each in nodes if isinstance(each, (ast.MatchAs, ast.MatchStar)) and each.name is not None]
    return found + [each.rest for each in nodes if isinstance(each, ast.MatchMapping) and each.rest is not None]


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

STATEMENTS: dict[type, Callable[[Any, Text], Made]] = {
    ast.Expr: _expr,
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _aug_assign,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Delete: _del,
    ast.Global: _global,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.Match: _match,
    ast.Break: cst.Break,
    ast.Continue: cst.Continue,
}
