"""What all nodes of the syntax tree have."""

from __future__ import annotations

import ast

from ..source import Text


class CSTNode:
    """The node of Python's tree that a node stands for, whose place it has, and the text around it."""

    __slots__ = ("at", "text")

    def __init__(self, at: ast.AST, text: Text) -> None:
        self.at, self.text = at, text


class BaseExpression(CSTNode):
    __slots__ = ()


class BaseStatement(CSTNode):
    __slots__ = ()


class BaseSmallStatement(BaseStatement):
    """A statement without a block."""

    __slots__ = ()


class BaseCompoundStatement(BaseStatement):
    """A statement with a block."""

    __slots__ = ()


class Operator:
    """An operator; it has no place."""

    __slots__ = ()


class BaseCompOp(Operator):
    """An operator that compares."""

    __slots__ = ()


Maybe = BaseExpression | None
