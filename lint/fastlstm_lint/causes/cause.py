"""What an error message of torch means: the noun, and how one is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """What an error message of torch means. `texts` has (cause, change) by language, "en" and "zh".

    `{names}` in the texts are the pattern's groups.
    """

    pattern: re.Pattern[str]
    rules: tuple[str, ...]
    texts: Mapping[str, tuple[str, str]]


def cause(pattern: str, rules: str, en: tuple[str, str], zh: tuple[str, str]) -> Cause:
    """One entry of the tables of this room; `rules` are codes, the likeliest first, or "" where no rule finds it."""
    return Cause(re.compile(pattern, re.IGNORECASE), tuple(rules.split()), {"en": en, "zh": zh})


KIND = re.compile(r"\b[\w.]{0,80}(?:Error|Warning|Exception): ")
"""What stands before the message in the last line of a traceback."""

LONGEST = 20_000
"""Characters of a text that are read, half of them its last: a message has some hundred, a bomb as many as it likes."""


def find(text: str, causes: Iterable[Cause]) -> tuple[Cause, dict[str, str]] | None:
    """The first cause that fits a message, and the pattern's groups; of a whole traceback, its last message is asked
    before the rest of it."""
    # A message pasted from a terminal is broken at any blank.
    kept = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} {text[-LONGEST // 2 :]}"
    joined = " ".join(kept.split())
    starts = [match.start() for match in KIND.finditer(joined)]
    for asked in ([joined[starts[-1] :]] if starts else []) + [joined]:
        for each in causes:
            match = each.pattern.search(asked)
            if match is not None:
                return each, {name: group or "?" for name, group in match.groupdict().items()}
    return None
