"""The walk, as far as a signature needs it."""

from __future__ import annotations

from typing import Protocol

from .. import cst
from ..facts import Fact, Where
from ..values import Value


class Caller(Protocol):
    """Who asks for the value of a call; `fastlstm_lint.interpreter.walk.Walk` is more of the same."""

    ranks: dict[cst.CSTNode, set[int]]
    """The ranks of what layers were given, by the call, where the program itself says them."""

    flags: dict[str, tuple[cst.CSTNode, str]]
    """The parameters of constructors that decide on an argument of a layer, with that layer's call and its argument."""

    decided: set[tuple[cst.CSTNode, str]]
    """The arguments of layers' calls on which the program itself decides, somewhere."""

    other_floats: bool
    """Whether the program changes the type that tensors and weights have by default."""

    def expects_errors(self) -> bool:
        """Whether what is being walked may raise, by the program's own words: `try`, `with pytest.raises(...)`."""
        ...

    def asked(self) -> frozenset[str]:
        """The names that a test around the place is about, where nobody knows how it comes out."""
        ...

    def in_model(self) -> bool:
        """Whether a method of a model is being walked, and no constructor."""
        ...

    def body(self) -> cst.CSTNode:
        """The module or function that is being walked."""
        ...

    def where(self) -> Where:
        """The place that is being walked."""
        ...

    def emit(self, fact: Fact) -> None:
        """Tell the rules."""
        ...

    def apply_values(self, node: cst.Call, callee: Value, values: list[Value]) -> Value:
        """Call a value with values, as one module of a Sequential hands on to the next."""
        ...

    def rebind(self, node: cst.BaseExpression, value: Value, held: Value | None = None) -> None:
        """Let the name that held a value hold what a call made of it in place; with `held`, all its names."""
        ...
