"""The folders where compiled code is looked for, in their order, each readable or writable or neither."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

VARIABLE = "FASTLSTM_CACHE"


class Place(NamedTuple):
    """A folder of compiled code.

    shipped: it came with the package, and is as good as the sources beside it. own: the user's cache, which nobody else
    looks after.
    """

    folder: Path
    shipped: bool = False
    own: bool = False


def places() -> list[Place]:
    """What came with the package, what FASTLSTM_CACHE names, the user's folder of caches."""
    found = [Place(folder, shipped=True) for folder in sorted((Path(__file__).parent.parent / "prebuilt").glob("*"))]
    found += [Place(Path(name)) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    if (user := _of_user()) is not None:
        found.append(Place(user, own=True))
    return found


def _of_user() -> Path | None:
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        root = "~/Library/Caches"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    if not root:
        return None
    try:
        return Path(root).expanduser() / "fastlstm" / "code"
    except RuntimeError:  # a user without a home
        return None
