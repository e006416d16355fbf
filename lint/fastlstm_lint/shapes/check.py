"""The shape comments of a program against what is inferred. What is unknown contradicts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..contract import BATCH
from ..dims import Dim, never_equal
from .grammar import Axis, Entry, Shape, read, read_written
from .lines import RETURN, Bound, Line, Program, Row
from .words import UNKNOWN, AxisWords, ShapeWords, TupleWords, Words

RETURNED = frozenset({RETURN, "returns", "output", "out"})
FACTOR = re.compile(r"\s*([*+])?\s*(\d+|[A-Za-z_][\w.]*)")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A comment that says otherwise than the program: the row, and what is wrong with it."""

    row: int
    message: str


def mismatches(program: Program) -> list[Mismatch]:
    """Every contradiction, in the order of the rows."""
    found = []
    for row in program.rows():
        if row.comment is not None:
            for entry in read(row.comment.text):
                bound = _meant(entry, row)
                message = None if bound is None else _complaint(program, entry, bound)
                found += [] if message is None else [Mismatch(row.row, message)]
    for comment in program.comments:
        if not comment.trailing:
            for entry in read(comment.text):
                around = _around(program, entry, comment.row)
                messages = [_complaint(program, entry, bound) for bound in around]
                # It may be about the line above or the one below: only what contradicts both is wrong.
                if messages and messages[0] is not None and all(messages):
                    found.append(Mismatch(comment.row, messages[0]))
    return sorted(found, key=lambda each: each.row)


def _complaint(program: Program, entry: Entry, bound: Bound) -> str | None:
    if bound.words is None:
        return None
    written = read_written(entry.text) is not None
    reason = _contradiction(entry.shape, bound.words, written, program.recorder.sizes(bound.node))
    recorder = program.recorder
    if reason is None or (recorder.assumes_batch and _unbatched(entry.shape, bound.words)):
        return None
    if recorder.assumes_features and _without_features(entry.shape, bound.words):
        return None
    said = entry.text.removeprefix(f"{entry.name}: ") if written else entry.text
    return f"{bound.name} is {bound.words}, the comment says {said}: {reason}"


def _around(program: Program, entry: Entry, row: int) -> list[Bound]:
    """What a comment on a line of its own may be about: its name as last bound above, and where the next line binds it.

    Only in the same function, and only with a name.
    """
    if entry.name is None:
        return []
    above = [line for line in program.lines if line.last < row]
    below = next((line for line in program.lines if line.first > row), None)
    function = above[-1].function if above else None
    found = []
    for line in reversed(above):
        if line.function is function and (bound := _named(entry.name, line)) is not None:
            found.append(bound)
            break
    if below is not None and below.function is function and (bound := _named(entry.name, below)) is not None:
        found.append(bound)
    return found


def _named(name: str, line: Line) -> Bound | None:
    return next((bound for bound in line.bound if bound.name in (name, f"self.{name}")), None)


def _meant(entry: Entry, row: Row) -> Bound | None:
    """What a comment is about: the name it gives, or the only one there is."""
    names = list(row.bound)
    if entry.name is None:
        return row.bound[names[0]] if len(names) == 1 else None
    if entry.name in row.bound:
        return row.bound[entry.name]
    if names == [RETURN] and entry.name.lower() in RETURNED:
        return row.bound[RETURN]
    return row.bound.get(f"self.{entry.name}")


def _unbatched(said: Shape, known: Words) -> bool:
    """Whether a comment speaks of a single sequence, where a batch axis is only assumed."""
    if isinstance(known, TupleWords):
        items = said.items or ()
        return len(items) == len(known.items) and all(map(_unbatched, items, known.items))
    axes = [axis for axis in known.axes if axis.meaning != BATCH]
    return len(axes) < len(known.axes) and _contradiction(said, ShapeWords(tuple(axes), known.packed), True, {}) is None


def _without_features(said: Shape, known: Words) -> bool:
    """Whether a comment only lacks a last axis of which nothing is known: packing takes (B, T) as well."""
    if isinstance(known, TupleWords) or not known.axes or str(known.axes[-1]) != UNKNOWN:
        return False
    return _contradiction(said, ShapeWords(known.axes[:-1], known.packed), True, {}) is None


def _contradiction(said: Shape, known: Words, written: bool, sizes: Mapping[str, Dim]) -> str | None:
    if isinstance(known, TupleWords):
        if said.items is None:
            return None
        if len(said.items) != len(known.items):
            return f"{_count(len(known.items), 'item')}, not {len(said.items)}"
        reasons = (_contradiction(a, b, written, sizes) for a, b in zip(said.items, known.items, strict=True))
        return next((reason for reason in reasons if reason is not None), None)
    if said.items is not None:
        return "one tensor, not a tuple"
    if said.packed != known.packed:
        # A person who writes a shape beside a packed sequence may mean its data.
        return ("a packed sequence" if known.packed else "not a packed sequence") if written else None
    if len(said.axes) != len(known.axes):
        return f"{_count(len(known.axes), 'axis', 'axes')}, not {len(said.axes)}"
    for i, (axis, real) in enumerate(zip(said.axes, known.axes, strict=True)):
        reason = _axis(axis, real, sizes)
        if reason is not None:
            return f"axis {i} {reason}"
    return None


def _count(number: int, one: str, many: str = "") -> str:
    return f"it has {number} {one if number == 1 else many or one + 's'}"


def _axis(said: Axis, known: AxisWords, sizes: Mapping[str, Dim]) -> str | None:
    if said.meaning is not None and UNKNOWN not in said.meaning and UNKNOWN not in known.meaning:
        one_word = "*" not in said.meaning
        fits = said.meaning in known.meaning.split("*") if one_word else said.meaning == known.meaning
        # `H` may stand for D*H, and `B` for B*T only where the comment says so.
        merged_sample = one_word and "*" in known.meaning and said.meaning != "feature"
        if not fits or merged_sample:
            return f"is {known.meaning}, not {said.meaning}"
    size = read_size(said.size, sizes)
    if size is not None and known.dim is not None and never_equal(size, known.dim):
        return f"has size {known.size}, not {said.size}"
    return None


def read_size(text: str, sizes: Mapping[str, Dim]) -> Dim | None:
    """A product of numbers and known names, or a sum of such products; None where a name is not known."""
    total, term = Dim.of(0), None
    at = 0
    while at < len(text):
        match = FACTOR.match(text, at)
        if match is None or (match[1] is None) != (term is None):
            return None
        factor = Dim.of(int(match[2])) if match[2].isdigit() else sizes.get(match[2].removeprefix("self."))
        if factor is None:
            return None
        if match[1] == "*" and term is not None:
            term = term * factor
        else:
            total, term = total + (term or 0), factor
        at = match.end()
    return None if term is None else total + term
