"""Where a value goes within a function, and what it is made of: from expression to name to expression."""

from __future__ import annotations

from typing import Any

from .. import cst
from ..dims import words
from ..nodes import code_of, walk
from ._code import argument, last_word, leaves, names_in

KEEPING = frozenset(
    words(
        "softmax log_softmax sigmoid tanh relu exp log clamp round abs argmax multinomial squeeze unsqueeze float "
        "Categorical Bernoulli Normal FloatTensor tensor detach"
    )
)
"""Functions whose result is their first argument's, entry by entry, or drawn from it."""

ROUNDS = 4
"""Passes over a function's assignments: values that go on through more names than that, backwards, were not seen."""


def assignments(body: cst.CSTNode | None) -> list[tuple[list[cst.CSTNode], cst.BaseExpression]]:
    """What is assigned in a function, and to what."""
    found: list[tuple[list[cst.CSTNode], cst.BaseExpression]] = []
    for each in () if body is None else walk(body):
        if isinstance(each, cst.Assign):
            found.append(([target.target for target in each.targets], each.value))
        elif isinstance(each, (cst.AnnAssign, cst.AugAssign, cst.NamedExpr)) and each.value is not None:
            found.append(([each.target], each.value))
        elif isinstance(each, (cst.For, cst.CompFor)):
            found.append(([each.target], each.iter))
    return found


class Onward:
    """The expressions of a function whose value is that of `node`, or is made of it entry by entry."""

    def __init__(self, body: cst.CSTNode | None, node: cst.CSTNode) -> None:
        self.body, self.node = body, node
        self.names: set[str] = set()
        pairs = assignments(body)
        for _ in range(ROUNDS):
            before = len(self.names)
            for targets, value in pairs:
                if self.holds(value):
                    self.names |= {code_of(leaf) for target in targets for leaf in leaves(target)}
            if len(self.names) == before:
                break

    def holds(self, node: cst.CSTNode | None) -> bool:
        """Whether an expression's value is made of it."""
        if node is self.node:
            return True
        if isinstance(node, cst.Name):
            return node.value in self.names
        if isinstance(node, cst.Attribute):
            return code_of(node) in self.names or self.holds(node.value)
        if isinstance(node, cst.Subscript):
            return self.holds(node.value)
        if isinstance(node, cst.BinaryOperation):
            return self.holds(node.left) or self.holds(node.right)
        if isinstance(node, cst.UnaryOperation):
            return self.holds(node.expression)
        if isinstance(node, cst.Call):
            if isinstance(node.func, cst.Attribute) and self.holds(node.func.value):
                return True
            first = node.args[0].value if node.args else None
            return last_word(node.func) in KEEPING and self.holds(first)
        return False

    def is_cut(self) -> bool:
        """Whether it is given other axes once more: a shift, or a second view that undoes the first."""
        return any(
            isinstance(each, cst.Call)
            and isinstance(each.func, cst.Attribute)
            and each.func.attr.value in ("view", "reshape")
            and _end(each) > _end(self.node)
            and self.holds(each.func.value)
            for each in (() if self.body is None else walk(self.body))
        )

    def is_one_number(self) -> bool:
        """Whether the program takes it for that of one sample: `.item()`, `int(...)`, a place without an axis, a
        softmax over its first axis."""
        for each in () if self.body is None else walk(self.body):
            if not isinstance(each, cst.Call):
                continue
            word = last_word(each.func)
            base = each.func.value if isinstance(each.func, cst.Attribute) else None
            asked: cst.CSTNode | None = None
            if word == "item" or (word in ("argmax", "multinomial", "tolist") and not each.args):
                asked = base
            elif (
                each.args and (word in ("int", "float", "multinomial") or (word == "argmax" and not _names_axis(each)))
            ) or (each.args and word in ("softmax", "log_softmax") and _over_first(each)):
                asked = each.args[0].value
            if self.holds(asked):
                return True
        return False


def _end(node: cst.CSTNode) -> tuple[int, int]:
    """Where a call or another expression ends."""
    at: Any = node.at
    return (at.end_lineno, at.end_col_offset)


def _over_first(call: cst.Call) -> bool:
    """Whether a softmax is taken over axis 0."""
    axis = argument(call, 1, "dim")
    return isinstance(axis, cst.Integer) and axis.value == 0


def _names_axis(call: cst.Call) -> bool:
    """Whether an argmax is taken along an axis behind the first: there are samples."""
    rest = [each.value for each in call.args[1:]]
    return any(isinstance(each, cst.Integer) and each.value > 0 for each in rest)


def made_of(body: cst.CSTNode | None, node: cst.CSTNode) -> set[str]:
    """The names that an expression's value depends on, those among them that a function assigns followed back."""
    found = names_in(node)
    pairs = assignments(body)
    for _ in range(ROUNDS):
        before = len(found)
        for targets, value in pairs:
            if not found.isdisjoint(code_of(leaf) for target in targets for leaf in leaves(target)):
                found |= names_in(value)
        if len(found) == before:
            break
    return found
