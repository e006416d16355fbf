"""The rules: one file per rule, found by their file names."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from .base import Rule


@cache
def load_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name.startswith("fl"))
    return tuple(import_module(f"{__name__}.{name}").RULE for name in names)


def by_code() -> dict[str, Rule]:
    """The rules by their codes."""
    return {rule.code: rule for rule in load_rules()}


__all__ = ["Rule", "by_code", "load_rules"]
