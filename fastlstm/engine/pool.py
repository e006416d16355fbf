"""The pool: the one crew of worker threads of this process, and how many threads a call may use."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import Protocol

import numpy as np

from fastlstm import errors
from fastlstm.engine.code import entry, kernel
from fastlstm.engine.threads.control import FORK, MOST, OMP_NUMBER, REGION, WORDS


class Crew:
    """A control block and the workers that live by it. A call holds it from beginning to end."""

    __slots__ = ("address", "control", "workers")

    def __init__(self) -> None:
        self.control = np.zeros(WORDS, np.int64)
        self.address = self.control.ctypes.data
        self.workers = 0
        """How many have been started."""


class Threads(Protocol):
    """What an engine runs on."""

    def crew(self, threads: int) -> Crew:
        """A crew of which `threads` threads, the caller's included, can take part where the system has so many."""


class Pool:
    """Owner of the crew: made when a call first wants one, ended with the process, dropped in a forked child.

    A crew that a call holds stays valid whatever happens to the pool meanwhile: one that is stopped finds its callers
    working alone, and in a forked child, where its workers are gone, so does one that was taken along.
    """

    def __init__(self) -> None:
        self._team: dict[int, int] = {}
        self._forget()
        self._ended = False

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._crew = Crew()
        self._old: list[Crew] = []

    def use_team(self, addresses: dict[int, int]) -> None:
        """Let an OpenMP library's threads do the work while they are punctual.

        addresses: of its functions, by the control block's words FORK and OMP_NUMBER.
        """
        with self._lock:
            self._team = addresses
            self._crew.workers = 0  # the next call asks anew, and is told of the team and of those that there are

    def crew(self, threads: int) -> Crew:
        """A crew of which `threads` threads, the caller's included, can take part where the system has so many.

        Where it has none left (a limit of processes, or of memory), fewer take part, down to the caller alone; the next
        call asks again.
        """
        crew = self._crew
        if crew.workers >= threads - 1:
            return crew
        with self._lock:
            crew = self._crew
            if not self._ended:
                if self._team and not crew.control[FORK]:
                    crew.control[REGION] = kernel("region")
                    for word in (OMP_NUMBER, FORK):  # the one that is looked at last
                        crew.control[word] = self._team[word]
                crew.workers = entry("hire")(crew.address, threads - 1, kernel("work"))
            return crew

    def stop(self) -> None:
        """End all workers; the next call that wants some starts new ones."""
        with self._lock:
            # An exception of a signal's handler may come between any two lines: a crew stays in one of the two places
            # until its workers have ended, and dismissing it twice does nothing.
            self._old.append(self._crew)
            self._crew = Crew()
            while self._old:
                entry("dismiss")(self._old[-1].address)
                self._old.pop()

    def end(self) -> None:
        """End all workers for good: the interpreter is going, and other threads may still call."""
        self._ended = True
        if self._crew.workers or self._old:
            self.stop()

    def after_fork(self) -> None:
        """In the child: the workers are gone, and so may be the thread that held the lock.

        GNU's OpenMP would wait there for the parent's threads, for ever: no team, also for a call that holds the crew.
        """
        self._team = {}
        self._crew.control[FORK] = 0
        self._forget()


def cores() -> int:
    """How many cores this process may use: its affinity mask and its cgroup's CPU quota."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(available, int(quota) if quota else available))


def _cgroup_quota() -> float | None:
    """CPUs that the cgroup grants, v2's cpu.max or v1's cfs quota; None where there is no limit."""
    for quota_file, period_file in (
        ("/sys/fs/cgroup/cpu.max", None),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ):
        try:
            words = Path(quota_file).read_text().split()
            if period_file:
                words += Path(period_file).read_text().split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            continue
        return quota / period if quota > 0 else None
    return None


_threads: int | None = None


def get_num_threads() -> int:
    """How many threads a call may use: set_num_threads, else FASTLSTM_NUM_THREADS, else the cores of this process."""
    global _threads
    if _threads is None:
        _threads = min(_asked() or cores(), MOST)
    return _threads


def set_num_threads(count: int) -> None:
    """Let every later call use up to `count` threads; more than 1024 are not used.

    TypeError unless `count` is an int, ValueError if it is below 1.
    """
    global _threads
    _threads = min(errors.count("count", count), MOST)


def _asked() -> int:
    """FASTLSTM_NUM_THREADS, or 0 where it is not set. ValueError, naming it, where it is no number of threads."""
    text = os.environ.get("FASTLSTM_NUM_THREADS", "")
    try:
        return errors.count("FASTLSTM_NUM_THREADS", int(text), least=0) if text.strip() else 0
    except ValueError:
        raise ValueError(f"FASTLSTM_NUM_THREADS is {text!r}, expected an int of at least 1") from None


POOL = Pool()
atexit.register(POOL.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.after_fork)
