"""Which settings hold for a file: those of the nearest pyproject.toml that has some, then the command line's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from .config import CONFIG, NoConfig, Settings, find_config, load_settings, matches, override, read_table

Change = Callable[[Settings], Settings]


class Nearest:
    """The settings of a run, folder by folder, each file of settings read once.

    Settings do not add up: a package's own are all that hold below it, as with ruff. What is in no folder with settings
    has those of the folder the run was started in. With `config` that file's hold everywhere.
    """

    def __init__(
        self,
        config: Path | None = None,
        select: tuple[str, ...] = (),
        extend_select: tuple[str, ...] = (),
        ignore: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        respect_gitignore: bool = True,
        named: tuple[Path, ...] = (),
    ) -> None:
        self._override = partial(override, select=select, extend_select=extend_select, ignore=ignore)
        self._respect_gitignore, self._named = respect_gitignore, named
        self.excluded = exclude
        self.config = config or find_config(Path.cwd())
        self.here = self._changed(load_settings(self.config))
        self._everywhere = config is not None
        self._found: dict[Path, Settings] = {self.here.root.resolve(): self.here}
        self._asked: dict[Path, Settings] = {}
        self.passed_over: list[str] = []

    def _changed(self, settings: Settings) -> Settings:
        settings = replace(self._override(settings), named=self._named)
        return settings if self._respect_gitignore else replace(settings, respect_gitignore=False)

    def of(self, folder: Path) -> Settings:
        """Those that hold for the files of a folder. ConfigError for settings that mean nothing."""
        if self._everywhere:
            return self.here
        if folder not in self._asked:
            self._asked[folder] = self._of(Path(os.path.realpath(folder)))
        return self._asked[folder]

    def _of(self, folder: Path) -> Settings:
        if folder not in self._found:
            above = self.here if folder == folder.parent else self._of(folder.parent)
            self._found[folder] = self._read(folder / CONFIG) or above
        return self._found[folder]

    def _read(self, file: Path) -> Settings | None:
        try:
            has_some = file.is_file() and read_table(file) is not None
        except NoConfig as error:  # a broken file of somebody else's, a test's for example
            self.passed_over.append(str(error))
            return None
        return self._changed(load_settings(file)) if has_some else None

    def excludes(self, path: Path) -> bool:
        """Whether a file or folder is left out: by the settings of its folder, or by the command line."""
        asked = any(matches(str(path), pattern, self.here.root) for pattern in self.excluded)
        return asked or self.of(path.parent).excludes(path)

    @property
    def places(self) -> tuple[Path, ...]:
        """The folders that imports may lead into, of all files asked for so far."""
        every = [self.here, *self._asked.values()]
        return tuple(dict.fromkeys(place for settings in every for place in settings.places))

    @property
    def files(self) -> list[Path]:
        """Where settings are, or would be, for all folders asked for so far."""
        return [folder / CONFIG for folder in self._found]
