"""The rules as a plugin of flake8, with the settings of the project's pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from . import __version__
from .config import ConfigError, Settings, find_config, load_settings
from .engine import check_source
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
            settings()
        except ConfigError as error:
            raise SystemExit(f"fastlstm: {visible(str(error))}") from error

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Row from 1, column from 0, text, and this class, as flake8 wants them."""
        for finding in check_source("".join(self.lines), self.path, settings(), self._imports()):
            if finding.is_note:  # flake8 fails for whatever it is told
                continue
            yield finding.start.row, finding.start.column - 1, f"{finding.code} {finding.message}", type(self)

    def _imports(self) -> Imports | None:
        return None if self.path in ("-", "stdin") else Imports(SourceTree([settings().root]), self.path)


@cache
def settings() -> Settings:
    """Read once per process: flake8 makes a plugin per file."""
    return load_settings(find_config(Path.cwd()))
