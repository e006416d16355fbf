"""The rules: one file per rule, found by their file names."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Rule


@cache
def _files() -> tuple[str, ...]:
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name.startswith("fl")))


def rule_codes() -> list[str]:
    """The codes of the rules, which are in their files' names: no rule is loaded."""
    return [name.partition("_")[0].upper() for name in _files()]


def rule_names() -> list[str]:
    """The names of the rules, from their files' names as well."""
    return [name.partition("_")[2].replace("_", "-") for name in _files()]


@cache
def load_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    return tuple(import_module(f"{__name__}.{name}").RULE for name in _files())


def by_code() -> dict[str, Rule]:
    """The rules by their codes."""
    return {rule.code: rule for rule in load_rules()}


__all__ = ["by_code", "load_rules", "rule_codes", "rule_names"]
