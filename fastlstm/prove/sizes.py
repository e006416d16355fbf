"""What input a model takes, as far as the linter can tell from its source."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Built

if TYPE_CHECKING:
    from fastlstm_lint.shapes.lines import Line

BATCH_SIZE, STEPS = 4, 7
FALLBACK = (BATCH_SIZE, STEPS, 5)


@dataclass(frozen=True, slots=True)
class Input:
    """Sizes of the input, the axes that are batch and time (None: not known), and for token ids how many there are.

    `returned` holds the axes that are batch and time of what the model returns, item by item.
    """

    sizes: tuple[int, ...]
    batch: int | None = None
    time: int | None = None
    high: int | None = None
    source: str = "nothing is known of it"
    returned: tuple[tuple[int | None, int | None], ...] = ()

    def out(self, what: str, item: int) -> int | None:
        """The axis of the returned item that holds the samples, or the steps; None where it is not known."""
        if item >= len(self.returned):
            return None
        batch, time = self.returned[item]
        return batch if what == "sample" else time


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
            _returned([each for each in program.lines if each.function is line.function]),
        )
    return None


def _returned(lines: Sequence[Line]) -> tuple[tuple[int | None, int | None], ...]:
    """The batch and time axes of what a function returns, where all its returns agree on them."""
    from fastlstm_lint.shapes.lines import RETURN
    from fastlstm_lint.shapes.words import ShapeWords, TupleWords

    found = set()
    for bound in (each for line in lines for each in line.bound if each.name == RETURN):
        words = bound.words
        items = words.items if isinstance(words, TupleWords) else (words,)
        meanings = [[axis.meaning for axis in item.axes] if isinstance(item, ShapeWords) else [] for item in items]
        found.add(tuple((_at(each, "batch"), _at(each, "time")) for each in meanings))
    return found.pop() if len(found) == 1 else ()


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
