"""Waiting until one of the files that a run looks at is another one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

State = dict[str, tuple[int, int]]
"""What a file is known by: when it was written, and its size."""

PAUSE = 0.5
"""Seconds between two looks."""

SHARE = 10
"""A look that takes long is followed by a pause of so many times that, so that a large tree costs a tenth of a core."""


def stat(files: Iterable[Path]) -> State:
    """What files are known by, those left out that do not exist."""
    about: State = {}
    for file in files:
        with suppress(OSError):
            found = file.stat()
            about[str(file)] = found.st_mtime_ns, found.st_size
    return about


def changes(state: Callable[[], State], pause: Callable[[float], None] = time.sleep) -> Iterator[list[str]]:
    """The names of what has changed, come or gone, once for each look that saw some; it never ends."""
    before = state()
    while True:
        start = time.monotonic()
        now = state()
        seconds = time.monotonic() - start
        changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        before = now
        if changed:
            yield changed
            before = state()  # what a run itself has written, its fixes, is no news
        pause(max(PAUSE, SHARE * seconds))
