"""Names and the place of execution: scopes, frames, and the paths that branches take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..dims import Symbol
from ..values import Instance, Value


class Scope:
    """The names of a module, function, class body or comprehension."""

    __slots__ = ("globals", "names", "parent")

    def __init__(self, parent: Scope | None = None) -> None:
        self.names: dict[str, Value] = {}
        self.parent = parent
        self.globals: frozenset[str] = frozenset()

    def get(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            value = scope.names.get(name)
            if value is not None:
                return value
            scope = scope.parent
        return None

    @property
    def top(self) -> Scope:
        """The module's scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


@dataclass(slots=True)
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

    def snapshot(self) -> Snapshot:
        """The state that a branch may change."""
        attributes = None if self.instance is None else dict(self.instance.attributes)
        return Snapshot(dict(self.scope.names), attributes, self.alive)

    def restore(self, saved: Snapshot) -> None:
        self.scope.names = dict(saved.names)
        self.alive = saved.alive
        if self.instance is not None and saved.attributes is not None:
            self.instance.attributes = dict(saved.attributes)


@dataclass(slots=True)
class Snapshot:
    """Names and attributes of `self` at one moment."""

    names: dict[str, Value]
    attributes: dict[str, Value] | None
    alive: bool
