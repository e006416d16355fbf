"""The program's own frames of a traceback, and the shapes of the values at hand in them.

Values are looked at by their type and nothing of theirs is run: no property, no `__repr__` of a program's own.
"""

from __future__ import annotations

import linecache
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

OTHERS = tuple(
    {str(Path(__file__).parents[1])} | {sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")}
)
"""Folders of code that is not the program's: this package, the standard library, what is installed."""

NAME = re.compile(r"\b[A-Za-z_]\w*(?:\.\w+)*")

MOST_VALUES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """One frame of the program: its file, the line that was running, and the frame."""

    path: str
    row: int
    frame: FrameType

    @property
    def line(self) -> str:
        """The text of the line, without its indentation."""
        return linecache.getline(self.path, self.row, self.frame.f_globals).strip()

    @property
    def text(self) -> str:
        """The whole file, or cell of a notebook, that the frame is of; "" where it is not to be had."""
        return "".join(linecache.getlines(self.path, self.frame.f_globals))


def own_places(traceback: TracebackType | None) -> list[Place]:
    """The frames of the program's own code, the one that failed first."""
    found = []
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        if not path.startswith(OTHERS) and "site-packages" not in path:
            found.append(Place(path, traceback.tb_lineno, traceback.tb_frame))
        traceback = traceback.tb_next
    return found[::-1]


def values_at(place: Place) -> Iterator[tuple[str, str]]:
    """(name, shape) of the tensors, arrays and layers of a frame, those on its line first."""
    told: dict[str, str] = {}
    local = dict(place.frame.f_locals)
    on_the_line = [name for name in NAME.findall(place.line) if "." not in name or name.partition(".")[0] in local]
    for name in (*on_the_line, *local):
        if name in told or len(told) >= MOST_VALUES:
            continue
        described = describe(_value(name, local, place.frame.f_globals))
        if described:
            told[name] = described
    yield from told.items()


def _value(name: str, local: dict[str, Any], module: dict[str, Any]) -> object:
    """What a dotted name stands for, as far as plain attributes go."""
    first, *rest = name.split(".")
    value = local[first] if first in local else module.get(first)
    for part in rest:
        kept = getattr(value, "__dict__", None)
        if not isinstance(kept, dict):
            return None
        for place in (kept, *(kept.get(key) for key in ("_modules", "_parameters", "_buffers"))):
            if isinstance(place, dict) and part in place:
                value = place[part]
                break
        else:
            return None
    return value


def describe(value: Any) -> str:
    """A tensor's, array's or packed sequence's shape, a torch layer as it is made; "" for anything else."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"{tuple(value.size())}" + ("" if kind == "float32" else f" {kind}")
    if numpy is not None and type(value) is numpy.ndarray:
        return f"{value.shape} {value.dtype} array"
    if torch is not None and isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return f"packed, data {tuple(value.data.size())}"
    if type(value) in (tuple, list) and 0 < len(value) <= 4:
        parts = [describe(part) for part in value]
        return f"({', '.join(parts)})" if all(parts) else ""
    if torch is not None and isinstance(value, torch.nn.Module) and type(value).__module__.startswith("torch.nn."):
        return "" if value._modules else f"{type(value).__name__}({value.extra_repr()})"
    return ""
