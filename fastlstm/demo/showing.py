"""What the parts of the demo and the command that runs them say to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Watch(Protocol):
    """Goes through the items of a part's long loop, and shows how far it is to whoever watches."""

    def __call__(self, items: Iterable[Item], label: str, length: int | None = None) -> Iterable[Item]: ...


@dataclass(frozen=True)
class Showing:
    """What a part showed: one line, more lines worth reading, and whether it reached what it promises."""

    line: str
    reached: bool = True
    detail: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """One part of the demo. `missing` gives what to install first, or None."""

    title: str
    run: Callable[[Watch], Showing]
    missing: Callable[[], str | None] = lambda: None
