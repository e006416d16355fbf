"""What a run of `fastlstm bench` found, as data: what is printed, stored as JSON, drawn and compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

from fastlstm.bench.workload import Workload

OURS = "fastlstm"
ALONE = "fastlstm, one thread"
"""This library a second time, where scaling is measured."""
FORMAT = 1
SETTLED = 0.05


@dataclass
class Timing:
    """One library on one workload, in seconds. `rounds`: the best of each turn; `error`: the worst array's, relative.

    `first_call` is building the model and its first call, compilation included, import not. With --busy, `quiet` and
    `busy` hold the middle time of each turn, alone and beside another busy process: there the best call of a turn is
    one that the other did not meet.
    """

    rounds: list[float]
    first_call: float
    error: float
    quiet: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    @property
    def spread(self) -> float:
        """How far the middle one of the turns is above the best: 0.1 is 10 %."""
        return self.median / self.best - 1

    @property
    def settled(self) -> bool:
        """Whether the best turn is no lucky one: the third best lies within `SETTLED` of it."""
        return len(self.rounds) >= 3 and sorted(self.rounds)[2] <= self.best * (1 + SETTLED)

    @property
    def slowdown(self) -> float | None:
        """How many times as long a call takes beside another busy process. None where that was not measured."""
        return median(self.busy) / median(self.quiet) if self.busy and self.quiet else None

    @property
    def best(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return median(self.rounds)


@dataclass
class Row:
    """One workload: a timing for each library that could serve, a reason for each that could not."""

    workload: Workload
    timings: dict[str, Timing] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def peers(self) -> dict[str, Timing]:
        return {name: timing for name, timing in self.timings.items() if name not in (OURS, ALONE)}

    def ratio(self, peer: str) -> float | None:
        """The peer's best time over ours: above 1 we are faster. None where one of the two was not timed."""
        if OURS not in self.timings or peer not in self.timings:
            return None
        return self.timings[peer].best / self.timings[OURS].best

    @property
    def best_peer(self) -> str | None:
        return min(self.peers, key=lambda name: self.peers[name].best, default=None)


@dataclass
class Limits:
    """Float32 operations and bytes per second that all threads reach together, and the bytes of a core's caches."""

    fma: float
    l2: float
    l3: float
    l1_bytes: int
    l2_bytes: int

    def best(self, other: Limits) -> Limits:
        return Limits(
            max(self.fma, other.fma), max(self.l2, other.l2), max(self.l3, other.l3), self.l1_bytes, self.l2_bytes
        )


@dataclass
class StartUp:
    """New processes, in seconds: importing the library, its first forward, and its first forward with backward; the
    whole of one that trains (`process`), and of one that only infers, which older results lack.
    """

    library: str
    cache: str
    imported: float
    forward: float
    training: float
    process: float
    inference: float | None = None


@dataclass
class Result:
    """A whole run."""

    date: str
    machine: dict[str, Any]
    threads: int
    versions: dict[str, str]
    rows: list[Row]
    limits: Limits | None = None
    start_up: list[StartUp] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)  # CPUs that other programs and other machines took meanwhile
    through: str = ""  # how this library was used, one of libraries.THROUGH, or on arrays

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def busy_ratio(row: Row, peer: str) -> float | None:
    """The peer's time over ours, both beside a busy process."""
    ours, theirs = row.timings.get(OURS), row.timings.get(peer)
    return median(theirs.busy) / median(ours.busy) if ours and theirs and ours.busy and theirs.busy else None


def load(path: Path) -> Result:
    """A stored run. ValueError where the file is not one."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.pop("format") != FORMAT:
            raise ValueError(f"{path}: stored in another format")
        rows = [
            Row(
                Workload(**row["workload"]),
                {name: Timing(**timing) for name, timing in row["timings"].items()},
                row["refused"],
            )
            for row in stored.pop("rows")
        ]
        limits = stored.pop("limits")
        start_up = [StartUp(**entry) for entry in stored.pop("start_up")]
        return Result(rows=rows, limits=limits and Limits(**limits), start_up=start_up, **stored)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no results of fastlstm bench: {error!r}") from None


def geometric_mean(values: Iterable[float]) -> float:
    """The average of ratios."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs))
