"""Settings: the defaults, `[tool.fastlstm.lint]` of the nearest pyproject.toml, then the command line."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from . import disk
from .finding import REVEAL

OWN_CODES = {
    "FL900": ("unused-suppression", "a noqa comment names a code that was not found on its line"),
    "FL901": ("unreadable-file", "a file cannot be decoded or parsed"),
    "FL902": ("internal-error", "the linter itself failed on a file"),
    REVEAL: ("reveal-shape", "a note with what is known of the argument of `reveal_shape`; the exit code stays 0"),
}
"""Diagnostics of the engine, beside those of the rules."""

CONFIG = "pyproject.toml"
LARGEST = 1_000_000
"""Bytes of the largest configuration file."""

KEYS = {
    "select",
    "ignore",
    "extend-select",
    "per-file-ignores",
    "exclude",
    "respect-gitignore",
    "cache-dir",
    "baseline",
}


class ConfigError(Exception):
    """A setting that means nothing; the command line turns it into exit code 2."""


class NoConfig(ConfigError):
    """A file that cannot be read, so that nobody knows whether there are settings in it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to look for. Codes may be prefixes: `FL2` is every rule of the two hundreds."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    root: Path = field(default_factory=Path)
    respect_gitignore: bool = True
    cache_dir: Path | None = None
    baseline: Path | None = None
    named: tuple[Path, ...] = ()  # folders named on the command line

    def of(self, folder: Path) -> Settings:
        """Those that hold in a folder: these. `nearest.Nearest` gives each folder its own."""
        return self

    def excludes(self, path: Path) -> bool:
        """Whether a file or folder is left out."""
        return any(matches(str(path), pattern, self.root) for pattern in self.exclude)

    @property
    def places(self) -> tuple[Path, ...]:
        """The folders that the program's imports may lead into."""
        return (self.root, *self.named)

    def enabled(self) -> frozenset[str]:
        """The codes that are on."""
        return _enabled(self.select, self.extend_select, self.ignore)

    def enabled_for(self, path: str) -> frozenset[str]:
        """The codes that are on for one file."""
        codes = self.enabled()
        for pattern, ignored in self.per_file_ignores:
            if matches(path, pattern, self.root):
                codes = frozenset(code for code in codes if not _named(code, ignored))
        return codes

    def chosen_for(self, path: str) -> list[str]:
        """What decides the codes that are on for one file, without loading a rule to ask whether it is on."""
        ignored = [
            code for pattern, codes in self.per_file_ignores if matches(path, pattern, self.root) for code in codes
        ]
        return [*self.select, "+", *self.extend_select, "-", *self.ignore, *ignored]

    def resolved(self) -> Settings:
        """The same with codes for whatever names a rule. ConfigError for what names none."""
        return replace(
            self,
            select=_codes_of(self.select),
            ignore=_codes_of(self.ignore),
            extend_select=_codes_of(self.extend_select),
            per_file_ignores=tuple((pattern, _codes_of(codes)) for pattern, codes in self.per_file_ignores),
        )


def codes_by_name() -> dict[str, str]:
    """The code of each rule, and of each diagnostic of the engine, by its name."""
    from .rules import rule_codes, rule_names

    own = {name: code for code, (name, _) in OWN_CODES.items()}
    return dict(zip(rule_names(), rule_codes(), strict=True)) | own


def _codes_of(given: tuple[str, ...]) -> tuple[str, ...]:
    """Codes and prefixes, in any case, as they are; names of rules as their codes."""
    names = codes_by_name()
    known = list(names.values())
    found = []
    for asked in given:
        prefix = asked.upper()
        typed = prefix.replace("O", "0").replace("I", "1")
        if prefix != "ALL" and not any(code.startswith(prefix) for code in known):
            prefix = names.get(asked.lower().replace("_", "-"), "")
        if not prefix:
            close = [code for code in known if code == typed] or [
                *get_close_matches(asked.upper(), known, 1, 0.7), *get_close_matches(asked.lower(), names, 1, 0.7)
            ]  # fmt: skip
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"no rule has the code, prefix or name {asked!r}{hint}")
        found.append(prefix)
    return tuple(found)


@cache
def _enabled(select: tuple[str, ...], extend_select: tuple[str, ...], ignore: tuple[str, ...]) -> frozenset[str]:
    from .rules import load_rules

    rules = load_rules()
    everything = [rule.code for rule in rules] + list(OWN_CODES)
    standard = {rule.code for rule in rules if rule.default} | set(OWN_CODES)
    chosen = standard if not select else {code for code in everything if _named(code, select)}
    chosen |= {code for code in everything if _named(code, extend_select)}
    chosen.add(REVEAL)  # the program itself asks for it
    return frozenset(code for code in chosen if not _named(code, ignore))


def _named(code: str, prefixes: tuple[str, ...]) -> bool:
    return any(prefix == "ALL" or code.startswith(prefix) for prefix in prefixes)


def matches(path: str, pattern: str, root: Path) -> bool:
    """Whether a path fits a pattern: by file name, or by its path below `root`."""
    whole = Path(path)
    try:
        # Unlike `Path.resolve`, this survives a link to itself.
        relative = Path(os.path.realpath(whole)).relative_to(os.path.realpath(root)).as_posix()
    except ValueError:
        relative = whole.as_posix()
    if fnmatch.fnmatch(whole.name, pattern) or fnmatch.fnmatch(relative, pattern):
        return True
    return pattern.rstrip("/") in Path(relative).parts or fnmatch.fnmatch(relative, pattern.rstrip("/") + "/*")


def find_config(start: Path) -> Path | None:
    """The nearest pyproject.toml with a `[tool.fastlstm.lint]` table, from `start` upwards."""
    folder = start.resolve()
    for place in (folder, *folder.parents):
        candidate = place / CONFIG
        if candidate.is_file() and read_table(candidate) is not None:
            return candidate
    return None


def read_table(path: Path) -> dict[str, Any] | None:
    """The `[tool.fastlstm.lint]` table of a file; None when it has none."""
    import tomllib  # its expressions take a tenth of a start, and most files are linted without settings

    try:
        data: Any = tomllib.loads(disk.read(path, LARGEST).decode())
    except (OSError, ValueError) as error:
        raise NoConfig(f"{path}: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise NoConfig(f"{path}: nested too deeply") from error
    tools = data.get("tool")
    if isinstance(tools, dict):
        _refuse_misnamed(path, tools)
    for name in ("tool", "fastlstm", "lint"):
        data = data.get(name) if isinstance(data, dict) else None
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: tool.fastlstm.lint must be a table")
    return data


def _refuse_misnamed(path: Path, tools: dict[str, Any]) -> None:
    """A table whose name only resembles `[tool.fastlstm.lint]` would be passed over without a word."""
    ours = tools.get("fastlstm")
    inside = [f"fastlstm.{key}" for key in ours if key != "lint"] if isinstance(ours, dict) else []
    beside = [name for name in tools if name.replace("_", "-") in ("fastlstm-lint", "fastlstmlint")]
    misnamed = [*beside, *inside]
    if misnamed:
        raise ConfigError(f"{path}: [tool.{misnamed[0]}] means nothing here: the settings are in [tool.fastlstm.lint]")


def load_settings(path: Path | None) -> Settings:
    """The settings of a configuration file, or the defaults."""
    if path is None:
        return Settings(root=Path.cwd())
    table = read_table(path) or {}
    for key in sorted(set(table) - KEYS):
        close = get_close_matches(key.replace("_", "-"), KEYS, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"{path}: unknown setting {key!r} in [tool.fastlstm.lint]{hint}")
    per_file = table.get("per-file-ignores", {})
    if not isinstance(per_file, dict):
        raise ConfigError(f"{path}: per-file-ignores must be a table")
    settings = Settings(
        select=_codes(path, table, "select"),
        ignore=_codes(path, table, "ignore"),
        extend_select=_codes(path, table, "extend-select"),
        per_file_ignores=tuple((pattern, _strings(path, pattern, codes)) for pattern, codes in per_file.items()),
        exclude=_codes(path, table, "exclude"),
        root=path.parent,
        respect_gitignore=_flag(path, table, "respect-gitignore", True),
        cache_dir=_path(path, table, "cache-dir"),
        baseline=_path(path, table, "baseline"),
    )
    try:
        return settings.resolved()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _flag(path: Path, table: dict[str, Any], key: str, standard: bool) -> bool:
    value = table.get(key, standard)
    if not isinstance(value, bool):
        raise ConfigError(f"{path}: {key} must be true or false")
    return value


def _path(path: Path, table: dict[str, Any], key: str) -> Path | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{path}: {key} must be a path")
    if value is None:
        return None
    if "\0" in value or PureWindowsPath(value).anchor or PurePosixPath(value).anchor or ".." in Path(value).parts:
        # A repository's settings are a stranger's: what they name is written to.
        raise ConfigError(f"{path}: {key} must be a path below the folder of this file, not {value!r}")
    return path.parent / value


def _codes(path: Path, table: dict[str, Any], key: str) -> tuple[str, ...]:
    return _strings(path, key, table.get(key, []))


def _strings(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{path}: {key} must be a list of strings")
    return tuple(value)


def override(
    settings: Settings,
    select: tuple[str, ...] = (),
    extend_select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
) -> Settings:
    """Settings with those of the command line: a selection replaces the file's, the rest is added."""
    both = replace(
        settings,
        select=select or settings.select,
        extend_select=settings.extend_select + extend_select,
        ignore=settings.ignore + ignore,
    )
    return both.resolved()
