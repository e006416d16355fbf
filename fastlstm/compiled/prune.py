"""What a store may forget: files of its own that no process has loaded for long."""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

AGE = 90 * 86400
"""Seconds since a file was last written, or loaded: `touched` writes the time down."""
_OWN = re.compile(r"(?:[A-Za-z0-9_-]+-[0-9a-f]{16}\.code|\.[A-Za-z0-9_-]+-[0-9a-f]{16}\.code\.\d+-[0-9a-f]{8})")
"""The names that `Made.file_name` gives, and those of files that were being written when their process ended."""


def prune(folder: Path) -> None:
    """Delete the old files of this folder, not of folders in it: regular ones of our names that belong to this user.

    Two processes may do it at once, and a file that is gone meanwhile is compiled anew by whoever misses it.
    """
    oldest = time.time() - AGE
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if _OWN.fullmatch(entry.name) and _is_old(entry.stat(follow_symlinks=False), oldest):
                    os.unlink(entry.path)


def touched(path: Path) -> None:
    """Note, once a month, that a file is still in use; where it cannot be written that is not needed."""
    with suppress(OSError):
        if path.stat().st_mtime < time.time() - AGE / 3:
            os.utime(path)


def _is_old(status: os.stat_result, oldest: float) -> bool:
    own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    return own and stat.S_ISREG(status.st_mode) and status.st_mtime < oldest
