"""Shape comments: how they are written, and how those that stand in a file are read.

Written ones have the form

    comment := "# " entry { "; " entry }
    entry   := name ": " shape
    shape   := ["packed "] "(" [ axis { ", " axis } ] ")"  |  "(" shape { ", " shape } ")"
    axis    := size " " meaning  |  "?"

so that no comment of a person is taken for one: `# out: (B, T, H)` has axes of one word. Those of persons are read too,
to be compared, where they can hardly be anything else than a shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..dims import words

NAME = r"[^\W\d][\w.]*"
SIZE = r"[\w.?*()+\-]+"
MEANING = r"[a-z?]+(?:\*[a-z?]+)*"

KNOWN_WORDS = {
    "batch": "B batch bs batch_size batchsize n_batch num_batch bsz",
    "time": "T time seq seq_len seqlen sequence sequence_length len_seq time_steps timesteps steps n_step "
    "n_steps src_len trg_len tgt_len seq_length",
    "feature": "H feature features hidden hidden_size hidden_dim input_size emb embed embedding emb_dim embed_dim "
    "hid_dim enc_hid_dim dec_hid_dim",
}
MEANINGS = {word: meaning for meaning, text in KNOWN_WORDS.items() for word in text.split()}
"""What people call the sizes of these axes. Letters are read as capitals only: `(i, t)` is a pair of indices."""

NOT_NAMES = frozenset(words("type noqa pylint pyright mypy fmt isort ruff pragma todo fixme nosec flake8 pytype"))
"""Words that tools read at the beginning of a comment: no entry may begin with one."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis as a comment has it; `?` and None where it says nothing."""

    size: str
    meaning: str | None

    def __str__(self) -> str:
        return self.size if self.meaning is None else f"{self.size} {self.meaning}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape as a comment has it. `items` is used for tuples, `axes` for tensors."""

    axes: tuple[Axis, ...] = ()
    items: tuple[Shape, ...] | None = None
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What a comment says of one name; None stands for the only thing on its line."""

    name: str | None
    shape: Shape
    text: str


class _Reader:
    """A shape in the written form, read from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def take(self, pattern: str) -> str | None:
        match = re.compile(pattern).match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def entries(self) -> list[Entry] | None:
        found = []
        while True:
            start = self.at
            name = self.take(NAME + r"(?=:[ ])")
            if name is None or self.take(": ") is None:
                return None
            shape = self.shape()
            if shape is None:
                return None
            found.append(Entry(name, shape, self.text[start : self.at]))
            if self.take("; ") is None:
                return found if self.at == len(self.text) else None

    def shape(self) -> Shape | None:
        packed = self.take("packed ") is not None
        if self.take(r"\(") is None:
            return None
        if self.take(r"\)") is not None:
            return Shape((), None, packed)
        if not packed and re.compile(r"\(|packed ").match(self.text, self.at):
            return self.items()
        axes = []
        while True:
            axis = self.axis()
            if axis is None:
                return None
            axes.append(axis)
            if self.take(", ") is None:
                return Shape(tuple(axes), None, packed) if self.take(r"\)") is not None else None

    def items(self) -> Shape | None:
        items = []
        while True:
            item = self.shape()
            if item is None:
                return None
            items.append(item)
            if self.take(", ") is None:
                return Shape((), tuple(items)) if self.take(r"\)") is not None else None

    def axis(self) -> Axis | None:
        if self.take(r"\?(?=[,)])") is not None:
            return Axis("?", None)
        match = re.compile(rf"({SIZE}) ({MEANING})(?=[,)])").match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return Axis(match[1], None if match[2] == "?" else match[2])


def read_written(text: str) -> list[Entry] | None:
    """The entries of a comment in the written form (without `#`); None for any other comment."""
    return _Reader(text).entries()


def split(comment: str) -> tuple[str, list[Entry]]:
    """A comment as what a person wrote and the entries in the written form that follow it; either may be missing."""
    for match in re.finditer(r"#\s*", comment):
        entries = read_written(comment[match.end() :].rstrip())
        if entries is not None:
            return comment[: match.start()].rstrip(), entries
    return comment, []


PREFIX = (
    r"(?:(?:tensor )?(?:of )?(?:shape|size|dims?)(?: of)?\b\s*[:=]?\s*)?"
    rf"(?:(?P<name>{NAME})(?:\.shape)?\s*(?::|=|->|=>)\s*)?(?:->|=>|=)?\s*(?:tensor of (?:shape|size) )?"
)
PART = r"(?:\d+|[A-Za-z_][\w.]*(?: (?:size|len|length|dim|dims|steps|layers|directions))?)"
FACTORS = rf"(?:n |num )?{PART}(?:\s*[*]\s*(?:n |num )?{PART})*"
COMMA, CROSS = r"\s*,\s*", r"\s+[x×]\s+"
LOOSE = (
    (rf"{PREFIX}(?:torch\.Size\()?[(\[]\s*(?P<axes>{FACTORS}(?:{COMMA}{FACTORS})+)\s*,?\s*[)\]]\)?\.?", COMMA),
    (rf"{PREFIX}[(\[]?\s*(?P<axes>{FACTORS}(?:{CROSS}{FACTORS})+)\s*[)\]]?", CROSS),
)
"""What a person's shape looks like, and what stands between its axes."""

ASIDE = re.compile(r"\(\s*=[^()]*\)")
"""`num_directions(=2)`"""


def read_loose(text: str) -> Entry | None:
    """What a person's comment (without `#`) says of a shape: `(B, T, H)`, `out: [batch, seq_len, 2*H]`, `B x T x H`.

    At least two axes, one of them a number or a usual word for a size; None for all else.
    """
    text = text.strip()
    plain = ASIDE.sub("", text)
    for pattern, between in LOOSE:
        match = re.fullmatch(pattern, plain, re.IGNORECASE)
        if match is not None:
            return _loose_entry(match["name"], re.split(between, match["axes"], flags=re.IGNORECASE), text)
    return None


def _loose_entry(name: str | None, parts: list[str], text: str) -> Entry | None:
    axes = tuple(_loose_axis(part) for part in parts)
    if name is not None and name.lower() in NOT_NAMES:
        return None
    if any(axis.size == "0" for axis in axes):  # [0, 1] is a range of values
        return None
    if not any(axis.meaning is not None or axis.size.isdigit() for axis in axes):
        return None
    return Entry(name, Shape(axes), text)


def _loose_axis(text: str) -> Axis:
    compact = re.sub(r"\s*[*]\s*", "*", text.strip()).replace(" ", "_")
    factors = [word for word in compact.split("*") if not word.isdigit()]
    word = factors[-1] if factors else ""
    meaning = MEANINGS.get(word if len(word) == 1 else word.lower())
    if len(factors) > 1 and meaning != "feature":
        meaning = None
    return Axis(compact, meaning)


def read(comment: str) -> list[Entry]:
    """Everything that a comment (with `#`) says of shapes."""
    person, entries = split(comment)
    if entries:
        return entries
    loose = read_loose(person.lstrip("#"))
    return [] if loose is None else [loose]
