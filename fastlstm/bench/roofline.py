"""The least time a workload can take on this machine, by arithmetic: its operations, or the weights it must read."""

from __future__ import annotations

from fastlstm.bench.result import Limits, Row
from fastlstm.bench.workload import Workload


def least(workload: Workload, limits: Limits, threads: int) -> tuple[float, str]:
    """(seconds, what limits: "FMA", "L2" or "L3").

    Every step of a layer and direction reads its recurrent weights, whatever the batch: from L1 where a thread's share
    of them fits there (no limit is counted then), else from L2 or L3. A backward pass reads them once more.
    """
    by_flop = workload.flop / limits.fma
    share = workload.recurrent_bytes / (workload.L * workload.D) / threads
    if share <= limits.l1_bytes:
        return by_flop, "FMA"
    level, rate = ("L2", limits.l2) if share <= limits.l2_bytes else ("L3", limits.l3)
    by_bytes = workload.recurrent_bytes * workload.T * (2 if workload.training else 1) / rate
    return (by_bytes, level) if by_bytes > by_flop else (by_flop, "FMA")


def share(row: Row, library: str, limits: Limits, threads: int) -> tuple[float, str]:
    """(the share of the limit that a library reached, what limits)."""
    seconds, what = least(row.workload, limits, threads)
    return seconds / row.timings[library].best, what
