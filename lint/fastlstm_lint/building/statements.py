"""Statements of the linter's syntax tree, made from Python's own."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import cst
from ..source import Text
from .expressions import OPERATORS, Made, annotation, arg, elements, expression, keyword, optional, parameters


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


def _expr(node: Any, text: Text) -> Made:
    return cst.Expr(node, text, expression(node.value, text))


def _assign(node: Any, text: Text) -> Made:
    targets = tuple([cst.AssignTarget(each, text, expression(each, text)) for each in node.targets])
    return cst.Assign(node, text, targets, expression(node.value, text))


def _ann_assign(node: Any, text: Text) -> Made:
    annotation = cst.Annotation(node.annotation, text, expression(node.annotation, text))
    return cst.AnnAssign(node, text, expression(node.target, text), annotation, optional(node.value, text))


def _aug_assign(node: Any, text: Text) -> Made:
    operator = OPERATORS[node.op.__class__]
    return cst.AugAssign(node, text, expression(node.target, text), operator, expression(node.value, text))


def _return(node: Any, text: Text) -> Made:
    return cst.Return(node, text, optional(node.value, text))


def _raise(node: Any, text: Text) -> Made:
    return cst.Raise(node, text, optional(node.exc, text))


def _assert(node: Any, text: Text) -> Made:
    return cst.Assert(node, text, expression(node.test, text), optional(node.msg, text))


def _del(node: Any, text: Text) -> Made:
    if len(node.targets) == 1:
        return cst.Del(node, text, expression(node.targets[0], text))
    return cst.Del(node, text, cst.Tuple(node, text, elements(node.targets, text)))


def _global(node: Any, text: Text) -> Made:
    return cst.Global(node, text, tuple(node.names))


def _aliases(node: Any, text: Text) -> tuple[cst.ImportAlias, ...]:
    return tuple([cst.ImportAlias(each, text, each.name, each.asname) for each in node.names])


def _import(node: Any, text: Text) -> Made:
    return cst.Import(node, text, _aliases(node, text))


def _import_from(node: Any, text: Text) -> Made:
    return cst.ImportFrom(node, text, node.module or "", node.level or 0, _aliases(node, text))


def _decorators(node: Any, text: Text) -> tuple[cst.Decorator, ...]:
    return tuple([cst.Decorator(each, text, expression(each, text)) for each in node.decorator_list])


def _function(node: Any, text: Text) -> Made:
    return cst.FunctionDef(
        node,
        text,
        cst.Name(node, text, node.name),
        parameters(node, node.args, text),
        _suite(node, node.body, text),
        _decorators(node, text),
        annotation(node.returns, text),
    )


def _class(node: Any, text: Text) -> Made:
    return cst.ClassDef(
        node,
        text,
        cst.Name(node, text, node.name),
        tuple([arg(each, text) for each in node.bases]),
        tuple([keyword(each, text) for each in node.keywords]),
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
        orelse = cst.If(each, text, expression(each.test, text), _suite(each, each.body, text), orelse)
    return orelse


def _for(node: Any, text: Text) -> Made:
    return cst.For(
        node,
        text,
        expression(node.target, text),
        expression(node.iter, text),
        _suite(node, node.body, text),
        _else(node, node.orelse, text),
    )


def _while(node: Any, text: Text) -> Made:
    body, orelse = _suite(node, node.body, text), _else(node, node.orelse, text)
    return cst.While(node, text, expression(node.test, text), body, orelse)


def _with(node: Any, text: Text) -> Made:
    items = [
        cst.WithItem(each.context_expr, text, expression(each.context_expr, text), optional(each.optional_vars, text))
        for each in node.items
    ]
    return cst.With(node, text, tuple(items), _suite(node, node.body, text))


def _try(node: Any, text: Text) -> Made:
    handlers = [
        cst.ExceptHandler(each, text, optional(each.type, text), each.name, _suite(each, each.body, text))
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
            optional(each.guard, text),
            _suite(each.pattern, each.body, text),
        )
        for each in node.cases
    ]
    return cst.Match(node, text, expression(node.subject, text), tuple(cases))


def _captured(pattern: ast.pattern) -> list[str]:
    """The names that a pattern binds."""
    nodes = list(ast.walk(pattern))
    found = [each.name for each in nodes if isinstance(each, (ast.MatchAs, ast.MatchStar)) and each.name is not None]
    return found + [each.rest for each in nodes if isinstance(each, ast.MatchMapping) and each.rest is not None]


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
