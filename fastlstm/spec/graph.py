"""Expressions: a list of nodes in which each common subexpression stands once, and their evaluation.

A node is an operation on earlier nodes, so the order of the list is an order of computation. A value is what one unit
of one sample has: a number for every operation but these, which look at all units of the sample (or of its head):

* `mean`: the mean over the units, the same for each of them;
* `product`, with a gate's name: that gate's rows of W_hh times the values of all units, plus its bias;
* `product_back`: the transposed product, without a bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Leaf = tuple[str, str]
"""What a step reads: ("gate" | "x" | "u" | "state" | "unit" | "step", name); backward also reads ("grad", state)."""

FUNCTIONS = ("sigmoid", "tanh", "relu", "exp", "log", "sqrt", "abs", "sin", "cos", "softplus", "log_sigmoid")
"""The functions of one value that a step may call; every `math` has them by these names."""

COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
LOGIC = ("and", "or", "not")
ACROSS = ("mean", "product", "product_back")
"""Operations that need their argument of all units of the sample."""

COMMUTES = frozenset({"add", "mul", "minimum", "maximum", "eq", "ne", "and", "or"})

_FOLD: Mapping[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "neg": lambda a: -a,
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
    "minimum": min,
    "maximum": max,
}


class Node(NamedTuple):
    """An operation, its arguments as numbers of nodes, and what it carries: a constant's number, a leaf, a gate."""

    op: str
    args: tuple[int, ...] = ()
    data: Any = None


class Graph:
    """Nodes under construction. Equal nodes are one; constants are folded and neutral elements dropped.

    NaN and infinity flow as in the step as it is written: x * 0 and x - x stay.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers: dict[Any, int] = {}

    def constant(self, value: float) -> int:
        return self._node(Node("const", (), float(value)))

    def leaf(self, kind: str, name: str) -> int:
        return self._node(Node("leaf", (), (kind, name)))

    def add(self, op: str, *args: int, data: Any = None) -> int:
        """The number of a node that computes this."""
        if op in COMMUTES:
            args = tuple(sorted(args))
        simpler = self._simpler(op, args)
        return self._node(Node(op, args, data)) if simpler is None else simpler

    def value(self, number: int) -> float | None:
        """The number that a constant holds, None for other nodes."""
        node = self.nodes[number]
        return node.data if node.op == "const" else None

    def _node(self, node: Node) -> int:
        # By repr, since 0.0 == -0.0 and nan != nan.
        key = (node.op, node.args, repr(node.data))
        if key not in self._numbers:
            self._numbers[key] = len(self.nodes)
            self.nodes.append(node)
        return self._numbers[key]

    def _simpler(self, op: str, args: tuple[int, ...]) -> int | None:
        values = [self.value(arg) for arg in args]
        if op in _FOLD and all(value is not None for value in values):
            try:
                folded = _FOLD[op](*values)
            except (ArithmeticError, ValueError):
                return None  # as 1 / 0: what the arithmetic of the kernels makes of it
            return self.constant(folded) if isinstance(folded, float) else None
        rule = getattr(self, f"_simpler_{op}", None)
        return rule(*args) if rule is not None else None

    def _negated(self, number: int) -> int | None:
        """The argument of a negation."""
        node = self.nodes[number]
        return node.args[0] if node.op == "neg" else None

    def _simpler_neg(self, a: int) -> int | None:
        node = self.nodes[a]
        return self.add("sub", *reversed(node.args)) if node.op == "sub" else self._negated(a)

    def _simpler_add(self, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            if self.value(one) == 0:
                return other
            negated = self._negated(other)
            if negated is not None:
                return self.add("sub", one, negated)
        first, second = self.nodes[a], self.nodes[b]
        if first.op == second.op == "mean":
            return self.add("mean", self.add("add", first.args[0], second.args[0]))
        return None

    def _simpler_sub(self, a: int, b: int) -> int | None:
        if self.value(b) == 0:
            return a
        if self.value(a) == 0:
            return self.add("neg", b)
        negated = self._negated(b)
        return None if negated is None else self.add("add", a, negated)

    def _simpler_mul(self, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            if self.value(one) == 1:
                return other
            if self.value(one) == -1:
                return self.add("neg", other)
        for one, other in ((a, b), (b, a)):
            negated = self._negated(one)
            if negated is not None:
                return self.add("neg", self.add("mul", negated, other))
        return None

    def _simpler_div(self, a: int, b: int) -> int | None:
        return a if self.value(b) == 1 else None

    def _simpler_mean(self, a: int) -> int | None:
        return None if self.value(a) is None else a

    def _simpler_not(self, a: int) -> int | None:
        return self.nodes[a].args[0] if self.nodes[a].op == "not" else None

    def _simpler_where(self, condition: int, then: int, otherwise: int) -> int | None:
        if then == otherwise:
            return then
        node = self.nodes[condition]
        return self.add("where", node.args[0], otherwise, then) if node.op == "not" else None


def live(nodes: Sequence[Node], roots: Iterable[int]) -> list[int]:
    """The nodes that the roots need, themselves included, in the order of computation."""
    needed: set[int] = set()
    todo = list(roots)
    while todo:
        number = todo.pop()
        if number not in needed:
            needed.add(number)
            todo.extend(nodes[number].args)
    return sorted(needed)


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
}


def evaluate(nodes: Sequence[Node], roots: Sequence[int], known: dict[int, Any], calculus: Any) -> list[Any]:
    """The values of the roots, given those in `known`, to which every value computed here is added.

    `calculus` is what there is to compute with: a method for each operation of `FUNCTIONS` and for `constant`, `pow`,
    `minimum`, `maximum`, `clip`, `where`, `compare(op, a, b)`, `logic(op, *args)`; `leaf(kind, name)` where leaves are
    not in `known`; `mean(value)`, `product(gate, value)` and `product_back(gate, value)` where a step has them. The
    values have the operators + - * / and the negation.
    """
    todo = [root for root in roots if root not in known]
    needed: set[int] = set()
    while todo:
        number = todo.pop()
        if number not in needed and number not in known:
            needed.add(number)
            todo.extend(nodes[number].args)
    for number in sorted(needed):
        node = nodes[number]
        args = [known[arg] for arg in node.args]
        if node.op in _OPERATORS:
            known[number] = _OPERATORS[node.op](*args)
        elif node.op == "const":
            known[number] = calculus.constant(node.data)
        elif node.op == "leaf":
            known[number] = calculus.leaf(*node.data)
        elif node.op in COMPARISONS:
            known[number] = calculus.compare(node.op, *args)
        elif node.op in LOGIC:
            known[number] = calculus.logic(node.op, *args)
        elif node.op in ("product", "product_back"):
            known[number] = getattr(calculus, node.op)(node.data, *args)
        else:
            known[number] = getattr(calculus, node.op)(*args)
    return [known[root] for root in roots]
