"""Names and the place of execution: scopes, frames, and the paths that branches take."""

from __future__ import annotations

from typing import Any

from ..dims import Symbol
from ..records import changing, field, record
from ..values import Instance, Value


class Pending(Value):
    """A name imported from another file of the program, looked up there when it is first used."""

    __slots__ = ("_found", "_looking", "fallback", "name", "scope")

    def __init__(self, scope: Scope, name: str, fallback: Value) -> None:
        self.scope, self.name, self.fallback = scope, name, fallback
        self._found: Value | None = None
        self._looking = False

    def force(self) -> Value:
        """What the name stands for; `fallback` where the file does not bind it, or not yet, in a cycle of imports."""
        if self._found is None and not self._looking:
            self._looking = True
            self._found = self.scope.get(self.name)
            self._looking = False
        return self.fallback if self._found is None else self._found


class Scope:
    """The names of a module, function, class body or comprehension."""

    __slots__ = ("globals", "names", "parent")

    def __init__(self, parent: Scope | None = None) -> None:
        self.names: dict[str, Value] = {}
        self.parent = parent
        self.globals: frozenset[str] = frozenset()

    def get(self, name: str) -> Value | None:
        scope = self
        while True:
            value = scope.names.get(name)
            if value is not None:
                return value if value.__class__ is not Pending else scope.own(name)
            if scope.parent is None:
                return scope.load(name)
            scope = scope.parent

    def own(self, name: str) -> Value | None:
        """A name of this very scope; one imported from another file is looked up there."""
        value = self.names.get(name)
        if isinstance(value, Pending):
            value = self.names[name] = value.force()
        return value

    def load(self, name: str) -> Value | None:
        """A name that the module has not bound so far; an imported file looks for the statement that does."""
        return None

    @property
    def top(self) -> Scope:
        """The module's scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


@changing
class Frame:
    """One running function (or the module): its names, its `self`, and whether the current path still goes on."""

    scope: Scope
    function: str
    instance: Instance | None = None
    alive: bool = True
    returns: list[Value] = field(default_factory=list)
    loops: tuple[Any, ...] = ()
    large: frozenset[Symbol] = frozenset()
    small: frozenset[Symbol] = frozenset()
    node: Any = None
    calling: Any = None  # the call of it that is being followed
    guarded: int = 0  # how many statements around, in this function, expect that what is in them raises
    asked: frozenset[str] = frozenset()  # names in the undecided tests of the `if` statements around

    def snapshot(self) -> Snapshot:
        """The state that a branch may change."""
        attributes = None if self.instance is None else dict(self.instance.attributes)
        return Snapshot(dict(self.scope.names), attributes, self.alive)

    def restore(self, saved: Snapshot) -> None:
        self.scope.names = dict(saved.names)
        self.alive = saved.alive
        if self.instance is not None and saved.attributes is not None:
            self.instance.attributes = dict(saved.attributes)


@record
class Snapshot:
    """Names and attributes of `self` at one moment."""

    names: dict[str, Value]
    attributes: dict[str, Value] | None
    alive: bool
