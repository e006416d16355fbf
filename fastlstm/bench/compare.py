"""A run beside an older one, for whoever must not become slower."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fastlstm.bench.result import OURS, Result
from fastlstm.bench.table import duration
from fastlstm.bench.workload import Workload


@dataclass(frozen=True)
class Change:
    """One row in both runs; seconds. `relative` 0.1 means 10 % slower than before."""

    name: str
    before: float
    after: float

    @property
    def relative(self) -> float:
        return self.after / self.before - 1

    def __str__(self) -> str:
        return f"{self.name}: {duration(self.before)} -> {duration(self.after)} ({self.relative:+.0%})"


def changes(old: Result, new: Result) -> list[Change]:
    """Our times of every workload that both runs hold with the same sizes."""
    before = {_key(row.workload): row.timings[OURS].best for row in old.rows if OURS in row.timings}
    return [
        Change(row.workload.name, before[key], row.timings[OURS].best)
        for row in new.rows
        if (key := _key(row.workload)) in before and OURS in row.timings
    ]


def differences(old: Result, new: Result) -> Iterator[str]:
    """What makes two runs hard to compare."""
    if old.machine["cpu"] != new.machine["cpu"]:
        yield f"measured on another machine: {old.machine['cpu']}"
    if old.threads != new.threads:
        yield f"measured with {old.threads} threads, now {new.threads}"
    if old.through != new.through:
        yield f"measured through {old.through or 'arrays'}, now through {new.through or 'arrays'}"


def _key(workload: Workload) -> Workload:
    """Sizes and mode alone make two rows the same."""
    return replace(workload, name="", source="", assumed="")
