"""A finding: what a rule said, where, and how to change it. Plain data, without a tree, so that reports stay light."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

SITE = "https://fastlstm.github.io/fastlstm/"
"""The pages in docs/, published."""


REVEAL = "FL903"
"""The code of the notes that `reveal_shape` asks for. They are no complaints: nothing fails for them."""


ADVICE = "FL8"
"""What the codes of advice on speed begin with. The program is right, and a build fails for it only if asked to."""

Level = Literal["error", "warning", "advice", "note"]
"""How much a finding weighs: an error keeps the linter from its work, a note was asked for by the program."""


def page_of(code: str) -> str:
    """The address of the page of a rule, or of one of the engine's own codes."""
    return f"{SITE}rules/{code}/"


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    row: int
    column: int


class Edit(NamedTuple):
    """Replace the text from `start` to `end` by `content`."""

    start: Place
    end: Place
    content: str


class Fix(NamedTuple):
    """A change that removes a finding. `safe` ones do not change what a working program computes."""

    message: str
    safe: bool
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One message of the linter."""

    code: str
    name: str
    message: str
    path: str
    start: Place
    end: Place
    fix: Fix | None = None
    made: int | None = None  # the line on which the layer was made
    cell: int | None = None  # the notebook cell, counted from 1

    @property
    def url(self) -> str:
        return page_of(self.code)

    @property
    def level(self) -> Level:
        if self.code in ("FL901", "FL902"):
            return "error"
        return "note" if self.is_note else "advice" if self.code.startswith(ADVICE) else "warning"

    @property
    def is_note(self) -> bool:
        """Whether it only tells what was asked."""
        return self.code == REVEAL

    @property
    def is_wrong(self) -> bool:
        """Whether it says that something is wrong: it is neither advice nor a note."""
        return self.level in ("error", "warning")

    @property
    def source_key(self) -> str:
        """What the text around this finding is kept under: the path, and the cell of a notebook."""
        return self.path if self.cell is None else f"{self.path}:cell {self.cell}"

    def in_cell(self, number: int) -> Finding:
        """This finding as one of a notebook's cell."""
        return replace(self, cell=number)

    @property
    def sort_key(self) -> tuple[Any, ...]:
        return (self.path, self.cell or 0, self.start, self.code)

    def to_json(self) -> dict[str, Any]:
        """As plain data, for a cache or another process; `from_json` reads it back."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Finding:
        fix = data["fix"]
        if fix is not None:
            message, safe, edits = fix
            fix = Fix(message, safe, tuple(Edit(Place(*start), Place(*end), content) for start, end, content in edits))
        plain = {**data, "fix": fix, "start": Place(*data["start"]), "end": Place(*data["end"])}
        return Finding(**plain)
