"""The thread pool: daemon threads that live inside compiled code, asleep when nobody calls."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import Protocol

import numpy as np

from fastlstm import errors
from fastlstm.engine.control import MAIL, MAILBOX
from fastlstm.engine.launch import ENTRY


class Threads(Protocol):
    """What an engine runs on: `address` is that of a control block, to be read after `start`."""

    address: int

    def start(self, threads: int) -> None:
        """Make sure that `threads` threads, the caller's included, can take part."""


class Pool:
    """Worker threads and their control block.

    One caller at a time has the workers; a second one, from another Python thread, runs on its own thread alone. After
    a fork the child starts with none and makes its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._workers: list[threading.Thread] = []
        self._capacity = 0
        self._use(np.zeros(MAIL, np.int64))
        self._retired: list[np.ndarray] = []

    def _use(self, control: np.ndarray) -> None:
        self.control, self.address = control, control.ctypes.data

    def start(self, threads: int) -> None:
        """Make sure that `threads` threads, the caller's included, can take part."""
        if len(self._workers) >= threads - 1:
            return
        with self._lock:
            if self._capacity < threads - 1:
                self._grow(max(threads, cores()) - 1)
            while len(self._workers) < threads - 1:
                number = len(self._workers)
                ENTRY.prepare_mailbox(self.control, number)
                worker = threading.Thread(
                    target=ENTRY.work, args=(self.control, number), name=f"fastlstm-{number + 1}", daemon=True
                )
                worker.start()
                self._workers.append(worker)

    def _grow(self, workers: int) -> None:
        """A larger control block, with workers of its own."""
        self._stop_workers()
        self._use(np.zeros(MAIL + workers * MAILBOX, np.int64))
        self._capacity = workers

    def _stop_workers(self) -> None:
        control = self.control
        if self._workers:
            ENTRY.retire(control)
        for number in range(len(self._workers)):
            ENTRY.stop_worker(control, number)
        for worker in self._workers:
            worker.join()
        # A new worker counts the jobs posted to it from zero, so it needs a new block; the old one stays for callers
        # that have read its address.
        self._retired.append(control)
        self._use(np.zeros(MAIL, np.int64))
        self._workers, self._capacity = [], 0

    def stop(self) -> None:
        """End all workers; the next call that wants some starts new ones."""
        with self._lock:
            self._stop_workers()

    def after_fork(self) -> None:
        """In the child: the workers are gone, and the lock may be held by a thread that is gone too."""
        self._kept = (self.control, self._retired)  # never freed: compiled code of the parent's call may be under way
        self._lock = threading.Lock()
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
        _threads = _asked() or cores()
    return _threads


def set_num_threads(count: int) -> None:
    """Let every later call use up to `count` threads."""
    global _threads
    _threads = errors.count("count", count)


def _asked() -> int:
    """FASTLSTM_NUM_THREADS, or 0 where it is not set. ValueError, naming it, where it is no number of threads."""
    text = os.environ.get("FASTLSTM_NUM_THREADS", "")
    try:
        return errors.count("FASTLSTM_NUM_THREADS", int(text), least=0) if text.strip() else 0
    except ValueError:
        raise ValueError(f"FASTLSTM_NUM_THREADS is {text!r}, expected an int of at least 1") from None


POOL = Pool()
atexit.register(POOL.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.after_fork)
