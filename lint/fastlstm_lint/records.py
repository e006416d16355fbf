"""Classes that only hold values, which stay as they are made; the type checker sees to that.

They are written as dataclasses are, and the type checker takes them for such. `dataclass` itself would take two to
eight times as long to define one, and there are forty of them, a fifth of every start; an object of a frozen one takes
four times as long to make.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class _Field:
    """What `field` says of a field in its class."""

    __slots__ = ("default_factory", "init")

    def __init__(self, default_factory: Callable[[], Any] | None, init: bool) -> None:
        self.default_factory, self.init = default_factory, init


def field(*, default_factory: Callable[[], Any] | None = None, init: bool = True) -> Any:
    """A field whose default is made anew for each object, or one that is no argument: `__post_init__` sets it."""
    return _Field(default_factory, init)


def _defined(cls: type[T], more: dict[str, Any]) -> type[T]:
    """The class with slots for its annotated names, and an `__init__` that takes them in their order, its base's first.

    Only this method has to be compiled. A class gets slots by being made again, as `dataclass(slots=True)` does it.
    """
    space = {**cls.__dict__, **more}
    own = tuple(cls.__annotations__)
    known: dict[str, Any] = {name: default for base in reversed(cls.__mro__[1:]) for name, default in _fields(base)}
    known |= {name: space.pop(name, ...) for name in own}
    asked, body = ["self"], []
    globals_: dict[str, Any] = {"__builtins__": {}}
    for name, default in known.items():
        if isinstance(default, _Field):
            if not default.init:
                continue
            globals_[f"new_{name}"] = default.default_factory
            asked.append(f"{name}=None")
            body.append(f" self.{name} = new_{name}() if {name} is None else {name}")
            continue
        globals_[f"default_{name}"] = default
        asked.append(name if default is ... else f"{name}=default_{name}")
        body.append(f" self.{name} = {name}")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    space.pop("__dict__", None)
    space.pop("__weakref__", None)
    exec(f"def __init__({', '.join(asked)}):\n" + "\n".join(body or [" return"]), globals_, space)
    kind: Any = type(cls)
    again: type[T] = kind(cls.__name__, cls.__bases__, {**space, "__slots__": own, "_record": tuple(known.items())})
    return again


def _fields(cls: type) -> tuple[tuple[str, Any], ...]:
    return cls.__dict__.get("_record", ())


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def changing(cls: type[T]) -> type[T]:
    """A record that may be changed: the state of something."""
    return _defined(cls, {})


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A class whose objects are equal to nothing but themselves."""
    return _defined(cls, {})


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def equal_record(cls: type[T]) -> type[T]:
    """A class whose objects are equal where what they hold is."""
    held = attrgetter(*cls.__annotations__)

    def __eq__(self: object, other: object) -> bool:
        return held(self) == held(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:
        return hash(held(self))

    return _defined(cls, {"__eq__": __eq__, "__hash__": __hash__})


def replace(old: T, **changes: Any) -> T:
    """A record like another one but for some fields."""
    names = [name for name, default in _fields(old.__class__) if not isinstance(default, _Field) or default.init]
    return old.__class__(**{**{name: getattr(old, name) for name in names}, **changes})
