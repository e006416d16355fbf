"""Which entries of a call's values an expression picks, by index arithmetic on their places in memory.

An array is taken apart down to (layer, direction, step, sample): one entry stands for the H features that go together.
Axes are in the contract's order, the last fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..contract import BATCH, DIRECTION, LAYER, TIME, Layer, Shape, Size


@dataclass(frozen=True, slots=True)
class Entry:
    """H features of one sample: which layer and direction, and, in a sequence, which step."""

    sample: int = 0
    step: int | None = None
    layer: int = 0
    direction: int = 0


@dataclass(frozen=True, slots=True)
class Array:
    """Entries in memory order, and how many there are along each axis."""

    shape: tuple[int, ...]
    entries: tuple[Entry, ...]

    def rows(self) -> list[tuple[Entry, ...]]:
        """The entries of each index of axis 0."""
        each = len(self.entries) // self.shape[0]
        return [self.entries[k * each : (k + 1) * each] for k in range(self.shape[0])]

    def at(self, index: int) -> Array:
        """`array[index]`, without its first axis."""
        return Array(self.shape[1:], self.rows()[index])

    def transposed(self) -> Array:
        """`array.transpose(0, 1)`, laid anew in memory."""
        inner = [Array(self.shape[1:], row).rows() for row in self.rows()]
        turned = [row[k] for k in range(self.shape[1]) for row in inner]
        return Array((self.shape[1], self.shape[0], *self.shape[2:]), tuple(e for part in turned for e in part))

    def cut(self, pieces: int) -> Array:
        """`array.view(pieces, -1)`: memory as it lies, in that many pieces."""
        return Array((pieces, len(self.entries) // pieces), self.entries)


@dataclass(frozen=True, slots=True)
class Pick:
    """What an expression on `value`, which is `array` in memory, gives: one row of entries for each of axis 0."""

    expression: str
    value: str
    array: Array
    rows: tuple[tuple[Entry, ...], ...]


def array_of(shape: Shape) -> Array:
    """The entries of a value of these axes; the features of one entry are left out."""
    parts: list[tuple[str, Size]] = []
    for axis in shape:
        if axis.meaning == (LAYER, DIRECTION):
            parts += [(LAYER, axis.size // 2), (DIRECTION, 2)]
        elif DIRECTION in axis.meaning:
            parts.append((DIRECTION, 2))
        elif axis.meaning[0] in (TIME, BATCH, LAYER):
            parts.append((axis.meaning[0], axis.size))
    entries = [Entry(step=0 if any(meaning == TIME for meaning, _ in parts) else None)]
    names = {TIME: "step", BATCH: "sample", LAYER: "layer", DIRECTION: "direction"}
    for meaning, size in parts:
        entries = [_with(entry, names[meaning], k) for entry in entries for k in range(size)]
    whole = [axis.size for axis in shape[:-1]] + ([2] if DIRECTION in shape[-1].meaning else [])
    return Array(tuple(whole), tuple(entries))


def _with(entry: Entry, name: str, value: int) -> Entry:
    fields = {key: getattr(entry, key) for key in ("sample", "step", "layer", "direction")} | {name: value}
    return Entry(**fields)


def picks(layer: Layer, T: int, B: int | None) -> Iterator[Pick]:
    """The expressions that learners take for each sample's last step, and what they give."""
    output = array_of(layer.output(T, B))
    top = layer.num_layers - 1
    below = [Entry(entry.sample, entry.step, top, entry.direction) for entry in output.entries]
    output = Array(output.shape, tuple(below))
    state = f"{layer.state_names[0]}_n"
    h_n = array_of(layer.state(layer.state_names[0], B))

    def pick(expression: str, value: str, array: Array, rows: Sequence[tuple[Entry, ...]]) -> Pick:
        return Pick(expression, value, array, tuple(rows))

    if B is None:
        yield pick("output[-1]", "output", output, [output.rows()[-1]])
        yield pick(f"{state}[-1]", state, h_n, [h_n.rows()[-1]])
        return
    yield pick("output[-1]", "output", output, output.at(-1).rows())
    yield pick("output[:, -1]", "output", output, output.transposed().at(-1).rows())
    yield pick(f"{state}[-1]", state, h_n, h_n.at(-1).rows())
    if layer.bidirectional:
        beside = [a + b for a, b in zip(h_n.at(-2).rows(), h_n.at(-1).rows(), strict=True)]
        yield pick(f"torch.cat([{state}[-2], {state}[-1]], dim=-1)", state, h_n, beside)
    if h_n.shape[0] > 1:
        yield pick(f"{state}.view(B, -1)", state, h_n, h_n.cut(B).rows())
        yield pick(f"{state}.transpose(0, 1).reshape(B, -1)", state, h_n, h_n.transposed().cut(B).rows())


def verdict(pick: Pick, T: int, lengths: Sequence[int]) -> str:
    """What the rows of a pick are: "right", or how they are not one row for each sample with its last states.

    "samples" (rows mix samples), "sample" (one sample's steps, not one row for each), "padding" (a row lies behind the
    end of its sequence), "backward" (its backward half has seen one element), "half" (one direction alone).
    """
    if any(len({entry.sample for entry in row}) > 1 for row in pick.rows):
        return "samples"
    if [row[0].sample for row in pick.rows] != list(range(len(lengths))):
        return "sample"
    entries = [entry for row in pick.rows for entry in row]
    if any(entry.step is not None and entry.step >= lengths[entry.sample] for entry in entries):
        return "padding"
    if any(entry.step is not None and entry.direction and entry.step > 0 for entry in entries):
        return "backward"
    both = any(entry.direction for entry in pick.array.entries)
    if both and len({entry.direction for entry in entries}) == 1:
        return "half"
    return "right"
