"""Whether someone else could have written what is about to be run: another user than this one and root."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def stranger(status: os.stat_result) -> str | None:
    """Why what has this status may come from a stranger, None where it does not."""
    if not hasattr(os, "geteuid"):
        return None  # Windows: the user's folder is the user's
    if status.st_uid not in (0, os.geteuid()):
        return f"it belongs to another user (uid {status.st_uid})"
    if status.st_mode & stat.S_IWOTH:
        return "every user can write it"
    if status.st_mode & stat.S_IWGRP and not _of_one(status.st_gid):
        return "its group can write it"
    return None


def strange_folder(folder: Path) -> str | None:
    """Why a stranger may put files into an existing folder. Those above it need not be asked: who can put another
    folder in its place cannot make it, or the files in it, this user's.
    """
    reason = stranger(folder.stat())
    return f"of its folder: {reason}" if reason else None


def _of_one(group: int) -> bool:
    """Whether a group is root's, or that of this user alone: by custom it has the user's name."""
    import grp
    import pwd

    if group == 0:
        return True
    try:
        return grp.getgrgid(group).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
