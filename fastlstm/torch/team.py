"""torch's own OpenMP threads as the pool of its modules, so that one pool is at work and not two."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import numpy as np
import torch

from fastlstm.engine.control import FORK, NUMBER, REGION, SIZE, TEAM_WORDS
from fastlstm.engine.launch import ENTRY
from fastlstm.engine.pool import POOL, Threads


class Team:
    """The team that the calling thread has in the OpenMP library that torch computes with.

    In a forked child our own pool takes its place: GNU's library waits for the parent's threads there, for ever.
    """

    def __init__(self, addresses: dict[int, int]) -> None:
        self.control = np.zeros(TEAM_WORDS, np.int64)
        self.address = self.control.ctypes.data
        self._addresses = addresses
        self._forked = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def start(self, threads: int) -> None:
        """Threads start by themselves; what they run is compiled here."""
        if self._forked:
            POOL.start(threads)
            self.address = POOL.address
        elif self._addresses:
            self.control[REGION] = ENTRY.region
            for place, address in self._addresses.items():
                self.control[place] = address
            self._addresses = {}

    def _after_fork(self) -> None:
        self._forked, self.address = True, POOL.address


def _torch_team() -> Team | None:
    """torch's team; None where torch has no OpenMP, or one of another interface (Windows)."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    if not sys.platform.startswith("linux") or not torch.backends.openmp.is_available() or not library.exists():
        return None
    loaded = ctypes.CDLL(str(library))  # loaded already; names are looked for in what it was linked with, too
    names = {FORK: "GOMP_parallel", NUMBER: "omp_get_thread_num", SIZE: "omp_get_num_threads"}
    try:
        return Team({place: _address(loaded, name) for place, name in names.items()})
    except AttributeError:
        return None


def _address(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address


THREADS: Threads = _torch_team() or POOL
