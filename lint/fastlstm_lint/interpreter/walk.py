"""The walk through a program, as the modules that do parts of it see it.

Three verbs carry it: `evaluate` an expression, `run` statements, `call` a function. Whoever needs the value of an
expression, the effect of a body or the result of a call asks the walk, and not the module that knows how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .. import cst
from ..signatures.caller import Caller
from ..values import Class, Function, Value
from .budget import Budget
from .program import SourceFile
from .scope import Frame, Scope

Watch = Callable[[cst.CSTNode, Value], None]


class Walk(Caller, Protocol):
    """One walk through one module: its state, and what may be asked of it. `machine.Machine` is the only one."""

    budget: Budget
    """What this walk may still cost."""

    too_deep: bool
    """Whether a statement was left because it nests too deeply."""

    scope: Scope
    """The names of the walked module."""

    frames: list[Frame]
    """The module and the functions being run, innermost last."""

    receivers: dict[cst.Call, Value]
    """What a method was called on, by the call, until the statement that holds the call is done."""

    called: set[cst.CSTNode]
    """The functions that were called: they need no walk with unknown arguments."""

    guessed: list[Class]
    """Classes whose object a parameter's name made up, while it is being made."""

    grown: dict[cst.CSTNode, tuple[cst.BaseExpression, ...]]
    """What the bodies of loops make longer, once it has been asked."""

    again: bool
    """Whether code is walked that has been walked before: the rules are told of refusals only."""

    silent: bool
    """Whether code is walked for what it leaves alone: the rules are told nothing."""

    watch: Watch | None
    """Told of every name that is bound; `fastlstm shapes` sets it."""

    @property
    def frame(self) -> Frame:
        """The innermost frame."""
        ...

    @property
    def file(self) -> SourceFile | None:
        """The file whose code is being walked."""
        ...

    def evaluate(self, node: cst.BaseExpression) -> Value:
        """The value of an expression; an unknown for whatever is not understood."""
        ...

    def run(self, body: Sequence[cst.CSTNode]) -> None:
        """Run statements until the path ends."""
        ...

    def call(
        self,
        function: Function,
        positional: Sequence[Value],
        keywords: dict[str, Value],
        *,
        complete: bool = True,
        entry: bool = False,
    ) -> Value:
        """Follow a call into the program's own code; with `entry`, parameters not given are unknown."""
        ...

    def item_of(self, iterable: Value, node: cst.BaseExpression) -> Value:
        """What iterating over a value yields first."""
        ...

    def lookup(self, name: str) -> Value:
        """A name in the present scope; one that nothing defines is an unknown, the same at every mention."""
        ...

    def define(self, value: Function | Class) -> None:
        """Remember a function or class to be entered; not those of other files."""
        ...

    def spend(self) -> bool:
        """Count one statement; False when the file has used up its share."""
        ...

    def may_call(self, scope: Scope) -> bool:
        """Whether a call of a function defined in a scope is followed."""
        ...

    def may_parse(self, lines: int) -> bool:
        """Count lines of another file; False when the linted file has used up its share of them."""
        ...

    def leave(self, scope: Scope) -> bool:
        """Note that the walk goes on in a scope; True if that is where it leaves the linted file."""
        ...

    def come_back(self, left: bool) -> None:
        """The other end of what `leave` began."""
        ...

    def scope_of(self, file: SourceFile) -> Scope:
        """The names of a file: those of the walked module itself for its own file."""
        ...
