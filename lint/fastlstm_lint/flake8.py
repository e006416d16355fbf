"""The rules as a plugin of flake8, with the settings of the project's pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from . import __version__
from .config import ConfigError, Settings
from .engine import check_source
from .nearest import Nearest
from .sources import Imports, SourceTree
from .visible import visible


class Plugin:
    """What flake8 makes for each file; it reads `# noqa` itself."""

    name = "fastlstm"
    version = __version__

    def __init__(self, tree: object, filename: str, lines: Sequence[str]) -> None:
        self.path, self.lines = filename, lines

    @classmethod
    def parse_options(cls, options: object) -> None:
        """Called once, before any file is looked at: settings that mean nothing end flake8 with one line."""
        try:
            nearest()
        except ConfigError as error:
            raise SystemExit(f"fastlstm: {visible(str(error))}") from error

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Row from 1, column from 0, text, and this class, as flake8 wants them."""
        for finding in check_source("".join(self.lines), self.path, self._settings(), self._imports()):
            if finding.is_note:  # flake8 fails for whatever it is told
                continue
            yield finding.start.row, finding.start.column - 1, f"{finding.code} {finding.message}", type(self)

    def _settings(self) -> Settings:
        try:
            return nearest().of(Path(self.path).parent)
        except ConfigError as error:
            raise SystemExit(f"fastlstm: {visible(str(error))}") from error

    def _imports(self) -> Imports | None:
        return None if self.path in ("-", "stdin") else Imports(SourceTree([self._settings().root]), self.path)


def nearest() -> Nearest:
    """Those of a run in the working directory."""
    return _nearest(Path.cwd())


@cache
def _nearest(folder: Path) -> Nearest:
    """Read once per process: flake8 makes a plugin per file."""
    return Nearest()
