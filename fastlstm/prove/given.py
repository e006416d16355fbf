"""Inputs as the command line words them: `4,7,5`, `4,7:int`, `4:int=7`, and tuples, `2,4,6+2,4,6`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int", "int64", "int32")
WRITTEN = re.compile(r"[(\[]?(\d+(?:,\d+)*),?[)\]]?(?::(\w+))?(?:=(-?[\d.]+))?")


@dataclass(frozen=True, slots=True)
class Given:
    """The sizes of an array, its type (None: as the model's first input has it), and the number it is filled with
    (None: random ones)."""

    sizes: tuple[int, ...]
    dtype: str | None = None
    fill: float | None = None


def read(text: str) -> tuple[Given, ...]:
    """One array, or several that make a tuple; raises ValueError."""
    return tuple(_read(part) for part in text.replace(" ", "").split("+"))


def _read(text: str) -> Given:
    match = WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a shape such as 4,7,5 or 4,7:int or 4:int=7")
    sizes = tuple(int(size) for size in match[1].split(","))
    if any(size < 1 for size in sizes):
        raise ValueError(f"{text!r} has a size below 1")
    if match[2] is not None and match[2] not in FLOATS + INTEGERS:
        raise ValueError(f"{text!r}: {match[2]} is none of {', '.join(FLOATS + INTEGERS)}")
    return Given(sizes, match[2], None if match[3] is None else float(match[3]))


def array(given: Given, dtype: str, high: int | None, rng: np.random.Generator, is_torch: bool) -> Any:
    """The array or tensor: normal numbers, ids below `high`, or the number it is filled with."""
    if given.fill is not None:
        values = np.full(given.sizes, given.fill)
    elif dtype in INTEGERS:
        values = rng.integers(0, high or 2, given.sizes)
    else:
        values = rng.standard_normal(given.sizes)
    if dtype in INTEGERS:
        values = values.astype("int32" if dtype == "int32" else "int64")
    else:
        values = values.astype("float64" if dtype == "float64" else "float32")
    if not is_torch:
        return values
    import torch

    x = torch.from_numpy(values)
    return x.to(getattr(torch, dtype)) if dtype in FLOATS else x
