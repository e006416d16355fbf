"""Classes that only hold values, which stay as they are made; the type checker sees to that.

`dataclass(frozen=True)` would see to it at run time: an object then takes four times as long to make, and a class takes
four times as long to define, of which there are enough to be felt at every start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A class whose objects are equal to nothing but themselves."""
    return dataclass(slots=True, eq=False, repr=False)(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def equal_record(cls: type[T]) -> type[T]:
    """A class whose objects are equal where what they hold is."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
