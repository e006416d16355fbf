"""Output formats: each takes the findings and the sources they are in, and returns the text to print."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module

from ..finding import Finding
from .as_text import summary
from .statistics import render as statistics

Sources = Mapping[str, str]
Format = Callable[[Sequence[Finding], Sources], str]


class Formats(Mapping[str, Format]):
    """The formats by name. The others than the one that a run prints in are not imported, nor what they need."""

    names = ("text", "concise", "json", "github", "gitlab", "sarif", "junit")

    def __getitem__(self, name: str) -> Format:
        if name not in self.names:
            raise KeyError(name)
        render: Format = import_module(f"{__name__}.as_{name}").render
        return render

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


FORMATS = Formats()

__all__ = ["FORMATS", "statistics", "summary"]
