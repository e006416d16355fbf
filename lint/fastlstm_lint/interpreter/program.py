"""What the interpreter asks of the files of a program. `fastlstm_lint.sources` has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from .. import cst


class SourceStatement(Protocol):
    """A top-level statement of a file."""

    @property
    def lines(self) -> int: ...
    @property
    def module(self) -> cst.Module | None: ...


class SourceOutline(Protocol):
    """The statements of a file by the names they bind, and the modules whose names it takes over."""

    @property
    def statements(self) -> Mapping[str, Sequence[SourceStatement]]: ...
    @property
    def stars(self) -> Sequence[tuple[str, int]]: ...


class SourceFile(Protocol):
    """A file of the linted program, or a folder of them."""

    @property
    def outline(self) -> SourceOutline: ...
    def find(self, module: str, level: int) -> SourceFile | None: ...
    def submodule(self, name: str) -> SourceFile | None: ...
    def exported(self) -> Iterable[str]: ...
