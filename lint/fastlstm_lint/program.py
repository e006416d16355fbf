"""The command that a person can type: `fastlstm` where all of it is installed, `fastlstm-lint` where the linter is."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec

OURS = re.compile(r"\bfastlstm(?= (?:lint|explain|rules|shapes|report|playground|lsp)\b|\[lsp\])")


@cache
def alone() -> bool:
    """Whether the linter is installed without fastlstm."""
    return find_spec("fastlstm") is None


def named(text: str) -> str:
    """A text for people in which commands are called what they are called here."""
    return OURS.sub("fastlstm-lint", text) if alone() else text
