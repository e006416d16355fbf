"""torch's own OpenMP threads as members of the pool: they spin on the cores that workers of ours would need."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

from fastlstm.engine.pool import POOL
from fastlstm.engine.threads.control import FORK, OMP_NUMBER


def join_pool() -> None:
    """Offer torch's team to the pool; nothing where torch has no OpenMP, or one of another interface (Windows)."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    if not sys.platform.startswith("linux") or not torch.backends.openmp.is_available() or not library.exists():
        return
    loaded = ctypes.CDLL(str(library))  # loaded already; names are looked for in what it was linked with, too
    try:
        addresses = {word: _address(loaded, name) for word, name in _NAMES.items()}
    except AttributeError:
        return
    POOL.use_team(addresses)


_NAMES = {FORK: "GOMP_parallel", OMP_NUMBER: "omp_get_thread_num"}


def _address(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address
