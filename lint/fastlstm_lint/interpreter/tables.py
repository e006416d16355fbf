"""Dicts with known keys: `{"hidden": 64}`, `dict(hidden=64)`, and what is read from them and stored in them.

What some other part of the file stores under a key may be there already: such a key has no known value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from .. import cst
from ..unknowns import Foreign
from ..values import Const, Opaque, Table, Value, resolve
from .walk import Walk

STORED = r"""\[\s*(["'])(\w+)\1\s*\]\s*(?:[-+*/|]|//)?=(?!=)"""
CHANGED = r"\b(\w+)\s*\.\s*(?:update|setdefault|pop|clear)\b"
SETTINGS = "(?i)cfg|conf|param|arg|opt|setting"


@lru_cache(16)
def _stored(code: str) -> frozenset[str] | None:
    """The keys under which a file stores anything; None where it changes its settings in a way that names no key."""
    if any(re.search(SETTINGS, match[1]) for match in re.finditer(CHANGED, code)):
        return None
    return frozenset(match[2] for match in re.finditer(STORED, code))


def mapping(vm: Walk, node: cst.Dict) -> Value:
    """A dict display."""
    items: dict[str, Value] = {}
    known = True
    for element in node.elements:
        key = None if element.key is None else vm.evaluate(element.key)
        value = vm.evaluate(element.value)
        if isinstance(key, Const) and isinstance(key.value, str):
            items[key.value] = value
        elif key is None and isinstance(value, Table):
            items |= value.items
        else:
            known = False
    return table(items, node.text.code) if known and items else Opaque("mapping")


def table(items: dict[str, Value], code: str) -> Value:
    """A dict of a file with this text."""
    stored = _stored(code)
    if stored is None:
        return Opaque("mapping")
    return Table({key: Opaque(key) if key in stored else value for key, value in items.items()})


def entry(base: Value, key: Value) -> Value | None:
    """`base["key"]`; None where that is nothing a dict of names is asked for."""
    if not isinstance(key, Const) or not isinstance(key.value, str):
        return None
    if isinstance(base, Table):
        return base.items.get(key.value) or Opaque(key.value)
    return base.attribute(f"[{key.value!r}]") if isinstance(base, Opaque) and not isinstance(base, Foreign) else None


def stored(base: Value, key: Value, value: Value) -> Value | None:
    """The dict after `base["key"] = value`; None where `base` is none."""
    if isinstance(base, Opaque) and isinstance(key, Const) and isinstance(key.value, str):
        base.forget(f"[{key.value!r}]")
    if not isinstance(base, Table):
        return None
    if not isinstance(key, Const) or not isinstance(key.value, str):
        return Opaque("mapping")
    return Table({**base.items, key.value: value})


def method(base: Value, name: str, given: Sequence[Value]) -> tuple[Value | None, bool]:
    """What a method of a dict gives, and whether the dict is another one afterwards."""
    if name in ("get", "pop") and given:
        found = entry(base, resolve(given[0]))
        if isinstance(base, Table) and len(given) > 1 and isinstance(key := resolve(given[0]), Const):
            found = base.items.get(str(key.value), given[1])
        return found, name == "pop"
    if isinstance(base, Table) and name == "copy":
        return base, False
    return None, name in ("update", "setdefault", "clear", "popitem")
