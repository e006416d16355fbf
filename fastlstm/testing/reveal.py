"""`reveal_shape` at run time."""

from __future__ import annotations

import sys
from typing import TypeVar

Value = TypeVar("Value")


def reveal_shape(value: Value) -> Value:
    """Print the shape of `value` on standard error and return it as it is.

    In a linted file, `fastlstm lint` tells what it knows of the argument: the same call asks both. There the name is
    known without an import; a program that runs needs `from fastlstm.testing import reveal_shape`.
    """
    print(f"reveal_shape: {_words(value)}", file=sys.stderr)
    return value


def _words(value: object) -> str:
    """Shape and dtype of an array or tensor, the items of a tuple or list, the type of anything else."""
    shape = getattr(value, "shape", None)
    if shape is not None and not callable(shape):
        return f"{tuple(shape)} {str(getattr(value, 'dtype', '')).removeprefix('torch.')}".rstrip()
    data = getattr(value, "data", None)
    if hasattr(value, "batch_sizes") and data is not None:
        return f"packed {_words(data)}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {', '.join(map(_words, value)) or 'nothing'}"
    if isinstance(value, dict):
        return "dict of " + (", ".join(f"{key}: {_words(item)}" for key, item in value.items()) or "nothing")
    return type(value).__name__
