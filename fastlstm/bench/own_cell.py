"""A user's cell in the bench: found by its name."""

from __future__ import annotations

import importlib
import os
import sys

from fastlstm.spec import Cell


def is_own(cell: str) -> bool:
    """Whether a workload's cell is the name of a user's."""
    return ":" in cell


def find(name: str) -> Cell:
    """The cell that `module:name` is; modules of the current folder are found as well, after all others.

    ValueError where there is none.
    """
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise ValueError(f"cell {name!r}: {error}") from None
    if not isinstance(found, Cell):
        raise ValueError(
            f"cell {name!r}: {attribute!r} of {module} is {type(found).__name__}, expected a fastlstm.cell"
        )
    return found
