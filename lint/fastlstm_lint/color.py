"""Whether output is coloured: what the user says, then what the environment says, then whether a person reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping

WHEN = ("auto", "always", "never")


def wanted(when: str = "auto", environment: Mapping[str, str] = os.environ) -> bool | None:
    """True or False where somebody has said so; None leaves it to whether the output is a terminal.

    NO_COLOR (no-color.org) and FORCE_COLOR count where they are not empty, NO_COLOR first; TERM=dumb has no colours.
    """
    if when != "auto":
        return when == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return False if environment.get("TERM") == "dumb" else None
