"""Lines of a program's text, as Python counts them."""

from __future__ import annotations

import re
from itertools import accumulate

from .finding import Place

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
"""`str.splitlines` also splits at form feeds and U+2028, which the parser does not: every later line would be off."""


def split_lines(text: str) -> list[str]:
    """The lines of a text, with their ends."""
    return LINE.findall(text)


class Offsets:
    """From a place to its index in the text."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *accumulate(len(line) for line in split_lines(text))]

    def of(self, at: Place) -> int:
        return self._starts[min(at.row, len(self._starts)) - 1] + at.column - 1
