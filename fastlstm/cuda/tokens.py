"""Where the tokens of a call stand: rows of the caller's own layout, so that nothing is transposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastlstm.cuda.arrays import upload


@dataclass(frozen=True)
class Tokens:
    """T, B, N sizes; starts, counts: device arrays (T,), int64: the row of each step's first sample, and how many have
    the step; `apart`: distance of two samples' rows of a step."""

    T: int
    B: int
    N: int
    starts: Any
    counts: Any
    apart: int

    @classmethod
    def dense(cls, T: int, B: int, batch_first: bool) -> Tokens:
        starts = np.arange(T, dtype=np.int64) * (1 if batch_first else B)
        counts = np.full(T, B, np.int64)
        return cls(T, B, T * B, upload(starts), upload(counts), T if batch_first else 1)

    @classmethod
    def packed(cls, batch_sizes: np.ndarray) -> Tokens:
        """Rows as torch packs them: all samples' step 0, then step 1 of those that have one; longest first."""
        counts = np.ascontiguousarray(batch_sizes, np.int64)
        ends = np.cumsum(counts)
        starts = upload(ends - counts)
        return cls(len(counts), int(counts[0]), int(ends[-1]), starts, upload(counts), 1)
