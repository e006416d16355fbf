"""Products of plain matrices by the pool's threads: a library's own team would wait for a thread of it that is late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastlstm.engine.code import entry, kernel
from fastlstm.engine.layout import Memory
from fastlstm.engine.pool import Threads
from fastlstm.kernels.job import SLOTS, blank
from fastlstm.kernels.machine import host
from fastlstm.kernels.tiling import plain_room

# A thread that is late leaves a half of its share, not all of it, to the others.
PORTIONS_PER_THREAD = 2


class Product(NamedTuple):
    """out (rows, columns) = start + a b, where start may be left out. Matrices by address; distances in elements."""

    rows: int
    depth: int
    columns: int
    a: int
    a_row: int
    a_step: int  # it or a_row is 1
    b: int
    b_row: int
    out: int
    out_row: int
    start: int = 0
    start_row: int = 0


_FIELDS = ("B", "depth", "I", "a", "a_row", "a_step", "b", "b_row", "out", "out_batch", "start", "start_row")
_SLOTS = [SLOTS[name] for name in _FIELDS]
_HAS_START = SLOTS["has_start"]


class _Plan:
    """Job blocks for so many products, and memory for what they pack."""

    def __init__(self, dtype: np.dtype[Any], count: int, rows: int, portions: int) -> None:
        self.kernel, self.rows = kernel("products", dtype.name), rows
        self.blocks = blank(count)
        self.address = self.blocks.ctypes.data
        memory = Memory(dtype)
        portion = plain_room(rows, host().tile_vectors * host().lanes(dtype))
        scratch = memory.add(portions * portion)
        self.owner, base = memory.allocate()
        for name, value in {
            "tasks": count, "portions": portions, "multiply": kernel("multiply", dtype.name), "scratch": base + scratch,
            "scratch_thread": portion,
        }.items():  # fmt: skip
            self.blocks[:, SLOTS[name]] = value


class Products:
    """Products of one dtype. Two threads may call it at once."""

    def __init__(self, dtype: np.dtype[Any], pool: Threads) -> None:
        self._dtype, self._pool = dtype, pool
        self._idle: dict[tuple[int, int], _Plan] = {}

    def run(self, wanted: Sequence[Product], threads: int, brief: bool) -> None:
        """All of them. The sums' order does not depend on who computes. Trusts its input."""
        crew = self._pool.crew(threads) if threads > 1 else None
        portions = threads * PORTIONS_PER_THREAD
        rows = max(product.rows for product in wanted)
        plan = self._idle.pop((len(wanted), portions), None)
        if plan is None or plan.rows < rows:
            plan = _Plan(self._dtype, len(wanted), rows, portions)
        plan.blocks[:, _SLOTS] = wanted
        plan.blocks[:, _HAS_START] = [product.start != 0 for product in wanted]
        entry("run_products")(crew.address if crew else 0, plan.address, plan.kernel, portions, threads, brief)
        self._idle[len(wanted), portions] = plan
