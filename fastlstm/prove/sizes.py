"""What input a model takes, as far as the linter can tell from its source."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .target import Built

BATCH_SIZE, STEPS = 4, 7
FALLBACK = (BATCH_SIZE, STEPS, 5)


@dataclass(frozen=True, slots=True)
class Input:
    """Sizes of the input, the axes that are batch and time (None: not known), and for token ids how many there are."""

    sizes: tuple[int, ...]
    batch: int | None = None
    time: int | None = None
    high: int | None = None
    source: str = "nothing is known of it"


def guess_input(built: Built) -> Input | None:
    """The input of a model's `forward`, read from its source file; None where that says too little."""
    from fastlstm_lint.files import decode
    from fastlstm_lint.shapes.lines import Unreadable, read_program
    from fastlstm_lint.shapes.words import ShapeWords
    from fastlstm_lint.sources import Imports, SourceTree

    layer = _of_layer(built.model)
    if layer is not None:
        return layer
    cls = type(built.model)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        path = Path(file or "")
        program = read_program(decode(path.read_bytes()), Imports(SourceTree([Path.cwd()]), path).home)
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError, Unreadable):
        return None
    for line in program.lines:
        node = program.heads.get(line.first)
        if node is None or node != (cls.__name__, "forward") or not line.bound:
            continue
        first = line.bound[0]
        if not isinstance(first.words, ShapeWords):
            return None
        numbers, width = {**_numbers(built.model), **built.arguments}, _width(built.model)
        sizes = tuple(_size(axis.size, axis.meaning, numbers, width) for axis in first.words.axes)
        if any(size is None for size in sizes):
            return None
        meanings = [axis.meaning for axis in first.words.axes]
        high = _high(program.recorder, first.node, built.model)
        known = tuple(size for size in sizes if size is not None)
        return Input(
            known,
            _at(meanings, "batch"),
            _at(meanings, "time"),
            high,
            f"as its source tells: {first.name} is {first.words}",
        )
    return None


def _of_layer(model: Any) -> Input | None:
    """The input of a bare recurrent layer, torch's or fastlstm's."""
    config = getattr(model, "config", model)
    if not all(isinstance(getattr(config, name, None), int) for name in ("input_size", "hidden_size", "batch_first")):
        return None
    lead, batch = ((BATCH_SIZE, STEPS), 0) if config.batch_first else ((STEPS, BATCH_SIZE), 1)
    return Input((*lead, config.input_size), batch, 1 - batch, None, f"as {type(model).__name__} takes it")


def _numbers(model: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(model).items() if isinstance(value, int)}


def _size(text: str, meaning: str, numbers: Mapping[str, Any], width: int | None) -> int | None:
    if text.isdigit():
        return int(text)
    factors = [int(part) if part.isdigit() else numbers.get(part) for part in text.split("*")]
    if all(isinstance(factor, int) for factor in factors):
        return math.prod(factor for factor in factors if isinstance(factor, int))
    return {"batch": BATCH_SIZE, "time": STEPS, "feature": width}.get(meaning)


def _width(model: Any) -> int | None:
    """The features that the first layer takes: of a model from a function, whose arguments have other names."""
    for part in _parts(model):
        for name in ("input_size", "in_features"):
            if isinstance(size := getattr(part, name, None), int):
                return size
    return None


def _high(recorder: Any, node: Any, model: Any) -> int | None:
    """The number of ids, if the input is given to an Embedding."""
    from fastlstm_lint.values import resolve

    seen = {id(resolve(value)) for _, _, value in recorder.values(node)}
    if not any(id(resolve(value)) in seen for value in recorder.ids):
        return None
    counts = [part.num_embeddings for part in _parts(model) if isinstance(getattr(part, "num_embeddings", None), int)]
    return min(counts, default=None)


def _parts(model: Any) -> list[Any]:
    return list(model.modules()) if hasattr(model, "modules") else [model]


def _at(meanings: list[str], word: str) -> int | None:
    return meanings.index(word) if meanings.count(word) == 1 else None
