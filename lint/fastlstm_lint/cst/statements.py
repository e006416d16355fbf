"""Statements and their parts."""

from __future__ import annotations

import ast

from ..source import Text
from .base import BaseCompoundStatement, BaseExpression, BaseSmallStatement, BaseStatement, CSTNode, Maybe, Operator
from .expressions import Annotation, Arg, Name, Parameters

Body = tuple[BaseStatement, ...]


class Module(CSTNode):
    __slots__ = ("body",)

    def __init__(self, at: ast.AST, text: Text, body: Body) -> None:
        self.at, self.text = at, text
        self.body = body


class BaseSuite(CSTNode):
    """A block; its place is that of what has it."""

    __slots__ = ("body",)

    def __init__(self, at: ast.AST, text: Text, body: Body) -> None:
        self.at, self.text = at, text
        self.body = body


class Else(CSTNode):
    """`else:`, and `finally:`."""

    __slots__ = ("body",)

    def __init__(self, at: ast.AST, text: Text, body: BaseSuite) -> None:
        self.at, self.text = at, text
        self.body = body


class Expr(BaseSmallStatement):
    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.value = value


class AssignTarget(CSTNode):
    __slots__ = ("target",)

    def __init__(self, at: ast.AST, text: Text, target: BaseExpression) -> None:
        self.at, self.text = at, text
        self.target = target


class Assign(BaseSmallStatement):
    __slots__ = ("targets", "value")

    def __init__(self, at: ast.AST, text: Text, targets: tuple[AssignTarget, ...], value: BaseExpression) -> None:
        self.at, self.text = at, text
        self.targets, self.value = targets, value


class AnnAssign(BaseSmallStatement):
    __slots__ = ("annotation", "target", "value")

    def __init__(self, at: ast.AST, text: Text, target: BaseExpression, annotation: Annotation, value: Maybe) -> None:
        self.at, self.text = at, text
        self.target, self.annotation, self.value = target, annotation, value


class AugAssign(BaseSmallStatement):
    """`target += value`, whose operator is that of `target + value`."""

    __slots__ = ("operator", "target", "value")

    def __init__(
        self, at: ast.AST, text: Text, target: BaseExpression, operator: Operator, value: BaseExpression
    ) -> None:
        self.at, self.text = at, text
        self.target, self.operator, self.value = target, operator, value


class Return(BaseSmallStatement):
    __slots__ = ("value",)

    def __init__(self, at: ast.AST, text: Text, value: Maybe) -> None:
        self.at, self.text = at, text
        self.value = value


class Raise(BaseSmallStatement):
    __slots__ = ("exc",)

    def __init__(self, at: ast.AST, text: Text, exc: Maybe) -> None:
        self.at, self.text = at, text
        self.exc = exc


class Assert(BaseSmallStatement):
    __slots__ = ("msg", "test")

    def __init__(self, at: ast.AST, text: Text, test: BaseExpression, msg: Maybe) -> None:
        self.at, self.text = at, text
        self.test, self.msg = test, msg


class Del(BaseSmallStatement):
    __slots__ = ("target",)

    def __init__(self, at: ast.AST, text: Text, target: BaseExpression) -> None:
        self.at, self.text = at, text
        self.target = target


class Global(BaseSmallStatement):
    __slots__ = ("names",)

    def __init__(self, at: ast.AST, text: Text, names: tuple[str, ...]) -> None:
        self.at, self.text = at, text
        self.names = names


class Break(BaseSmallStatement):
    __slots__ = ()


class Continue(BaseSmallStatement):
    __slots__ = ()


class Pass(BaseSmallStatement):
    """`pass`, and every statement without a block that says nothing about values: `nonlocal`, `type`."""

    __slots__ = ()


class ImportAlias(CSTNode):
    __slots__ = ("asname", "name")

    def __init__(self, at: ast.AST, text: Text, name: str, asname: str | None) -> None:
        self.at, self.text = at, text
        self.name, self.asname = name, asname


class Import(BaseSmallStatement):
    __slots__ = ("names",)

    def __init__(self, at: ast.AST, text: Text, names: tuple[ImportAlias, ...]) -> None:
        self.at, self.text = at, text
        self.names = names


class ImportFrom(BaseSmallStatement):
    """`from ..module import names`: two dots are level 2; the one name of `import *` is `*`."""

    __slots__ = ("level", "module", "names")

    def __init__(self, at: ast.AST, text: Text, module: str, level: int, names: tuple[ImportAlias, ...]) -> None:
        self.at, self.text = at, text
        self.module, self.level, self.names = module, level, names


class Decorator(CSTNode):
    __slots__ = ("decorator",)

    def __init__(self, at: ast.AST, text: Text, decorator: BaseExpression) -> None:
        self.at, self.text = at, text
        self.decorator = decorator


Decorators = tuple[Decorator, ...]
Args = tuple[Arg, ...]


class FunctionDef(BaseCompoundStatement):
    __slots__ = ("body", "decorators", "name", "params", "returns")

    def __init__(
        self,
        at: ast.AST,
        text: Text,
        name: Name,
        params: Parameters,
        body: BaseSuite,
        decorators: Decorators,
        returns: Annotation | None,
    ) -> None:
        self.at, self.text = at, text
        self.name, self.params, self.body, self.decorators, self.returns = name, params, body, decorators, returns


class ClassDef(BaseCompoundStatement):
    __slots__ = ("bases", "body", "decorators", "keywords", "name")

    def __init__(
        self, at: ast.AST, text: Text, name: Name, bases: Args, keywords: Args, body: BaseSuite, decorators: Decorators
    ) -> None:
        self.at, self.text = at, text
        self.name, self.bases, self.keywords, self.body, self.decorators = name, bases, keywords, body, decorators


class If(BaseCompoundStatement):
    """`if`; `elif` is an `If` in `orelse`."""

    __slots__ = ("body", "orelse", "test")

    def __init__(
        self, at: ast.AST, text: Text, test: BaseExpression, body: BaseSuite, orelse: If | Else | None
    ) -> None:
        self.at, self.text = at, text
        self.test, self.body, self.orelse = test, body, orelse


class For(BaseCompoundStatement):
    __slots__ = ("body", "iter", "orelse", "target")

    def __init__(
        self,
        at: ast.AST,
        text: Text,
        target: BaseExpression,
        iter: BaseExpression,
        body: BaseSuite,
        orelse: Else | None,
    ) -> None:
        self.at, self.text = at, text
        self.target, self.iter, self.body, self.orelse = target, iter, body, orelse


class While(BaseCompoundStatement):
    __slots__ = ("body", "orelse", "test")

    def __init__(self, at: ast.AST, text: Text, test: BaseExpression, body: BaseSuite, orelse: Else | None) -> None:
        self.at, self.text = at, text
        self.test, self.body, self.orelse = test, body, orelse


class WithItem(CSTNode):
    __slots__ = ("asname", "item")

    def __init__(self, at: ast.AST, text: Text, item: BaseExpression, asname: Maybe) -> None:
        self.at, self.text = at, text
        self.item, self.asname = item, asname


class With(BaseCompoundStatement):
    __slots__ = ("body", "items")

    def __init__(self, at: ast.AST, text: Text, items: tuple[WithItem, ...], body: BaseSuite) -> None:
        self.at, self.text = at, text
        self.items, self.body = items, body


class ExceptHandler(CSTNode):
    __slots__ = ("body", "name", "type")

    def __init__(self, at: ast.AST, text: Text, type: Maybe, name: str | None, body: BaseSuite) -> None:
        self.at, self.text = at, text
        self.type, self.name, self.body = type, name, body


class Try(BaseCompoundStatement):
    """`try`, with `except` or `except*`."""

    __slots__ = ("body", "finalbody", "handlers", "orelse")

    def __init__(
        self,
        at: ast.AST,
        text: Text,
        body: BaseSuite,
        handlers: tuple[ExceptHandler, ...],
        orelse: Else | None,
        finalbody: Else | None,
    ) -> None:
        self.at, self.text = at, text
        self.body, self.handlers, self.orelse, self.finalbody = body, handlers, orelse, finalbody


class MatchCase(CSTNode):
    """A case; of its pattern only the names that it binds."""

    __slots__ = ("body", "captured", "guard")

    def __init__(self, at: ast.AST, text: Text, captured: tuple[str, ...], guard: Maybe, body: BaseSuite) -> None:
        self.at, self.text = at, text
        self.captured, self.guard, self.body = captured, guard, body


class Match(BaseCompoundStatement):
    __slots__ = ("cases", "subject")

    def __init__(self, at: ast.AST, text: Text, subject: BaseExpression, cases: tuple[MatchCase, ...]) -> None:
        self.at, self.text = at, text
        self.subject, self.cases = subject, cases
