"""Runs the workloads: every library made ready and checked first, then timed by turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from fastlstm.bench.busy import Neighbour, machine, usage
from fastlstm.bench.libraries import THROUGH, missing
from fastlstm.bench.process import Process, WorkerDied, processes
from fastlstm.bench.result import ALONE, OURS, Limits, Result, Row, Timing
from fastlstm.bench.workload import Workload
from fastlstm.engine.pool import cores

Step = Callable[[str], object]
"""Told what has just been done, once for each of `steps`."""

LIMIT_SECONDS = 0.6


def steps(workloads: Sequence[Workload], libraries: Sequence[str], rounds: int, scaling: bool = False) -> int:
    """How often `run` will tell that something has been done."""
    return len(workloads) * (2 + (len(libraries) + scaling) * (1 + rounds))


def run(
    workloads: Sequence[Workload],
    libraries: Sequence[str],
    threads: int,
    rounds: int,
    seconds: float,
    done: Step = lambda what: None,
    through: str = "",
    scaling: bool = False,
    busy: bool = False,
    most: int = 0,
) -> Result:
    """Time every workload in every library: best of `rounds` turns of about `seconds` each.

    All have further turns, up to `most`, until the best of each is `settled`: a busy machine needs more.
    `through`, one of libraries.THROUGH, measures this library in that way. `scaling` times it with one thread too.
    `busy` gives every library a turn beside another busy process after each of its own.
    """
    adapters = {name: THROUGH[through] if through and name == OURS else name for name in libraries}
    lacking = {name: missing(adapter) for name, adapter in adapters.items()}
    present = [name for name in libraries if not lacking[name]]
    result = Result(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(cores()),
        threads=threads,
        versions={},
        rows=[],
        missing={name: f"pip install {' '.join(names)}" for name, names in lacking.items() if names},
        through=through,
    )
    before = usage()
    started = {name: adapters[name] for name in present} | {"reference": "reference"}
    if scaling and OURS in started:
        started[ALONE] = adapters[OURS]
    with Neighbour() as neighbour, processes(started) as workers, TemporaryDirectory() as folder:
        for name in present:
            try:
                result.versions[name] = workers[name].ask("version")["version"]
            except WorkerDied as death:
                result.missing[name] = str(death)
        names = [*result.versions, ALONE] if scaling and OURS in result.versions else list(result.versions)
        for workload in workloads:
            bench = _Bench(workers, Path(folder) / "truth.npz", threads, done, neighbour if busy else None)
            row = bench.row(workload, names, rounds, max(rounds, most), seconds)
            result.rows.append(row)
            measured = Limits(**workers["reference"].ask("limits", threads=threads, seconds=LIMIT_SECONDS))
            result.limits = measured if result.limits is None else result.limits.best(measured)
            done("limits")
    after = usage()  # now that the workers have ended, and count as our own
    if before is not None and after is not None:
        result.load = after.since(before)
    return result


class _Bench:
    """The making of one row."""

    def __init__(
        self, workers: dict[str, Process], truth: Path, threads: int, done: Step, neighbour: Neighbour | None
    ) -> None:
        self.workers, self.truth, self.threads, self.done, self.neighbour = workers, truth, threads, done, neighbour

    def row(self, workload: Workload, libraries: Sequence[str], rounds: int, most: int, seconds: float) -> Row:
        row = Row(workload)
        given = workload.to_dict()
        self.workers["reference"].ask("truth", workload=given, path=str(self.truth))
        self.done(f"{workload.name}: reference")
        for name in libraries:
            threads = 1 if name == ALONE else self.threads
            reply = self._ask(row, name, "prepare", workload=given, threads=threads, truth=str(self.truth))
            if reply is not None and "refused" in reply:
                row.refused[name] = reply["refused"]
            elif reply is not None:
                row.timings[name] = Timing([], reply["first_call"], max(reply["errors"].values()))
            self.done(f"{workload.name}: {name} ready")
        for turn in range(most):
            if turn >= rounds and all(timing.settled for timing in row.timings.values()):
                break
            # whoever comes first finds the machine as the row before left it: a new one each time
            for name in [*libraries[turn % len(libraries) :], *libraries[: turn % len(libraries)]]:
                if name in row.timings:
                    reply = self._ask(row, name, "time", seconds=seconds)
                    if reply is not None:
                        row.timings[name].rounds.append(min(reply["times"]))
                    if reply is not None and self.neighbour is not None:
                        row.timings[name].quiet.append(median(reply["times"]))
                        with self.neighbour.computing():
                            reply = self._ask(row, name, "time", seconds=seconds)
                        if reply is not None:
                            row.timings[name].busy.append(median(reply["times"]))
                if turn < rounds:  # further turns were not announced
                    self.done(f"{workload.name}: {name}")
        for name in row.timings:
            self._ask(row, name, "release")
        return row

    def _ask(self, row: Row, name: str, do: str, **arguments: Any) -> dict[str, Any] | None:
        """The reply; None where the worker has died, which is noted in the row, and a new worker started."""
        try:
            return self.workers[name].ask(do, **arguments)
        except WorkerDied as death:
            row.timings.pop(name, None)
            row.refused[name] = f"crashed: {death}"
            self.workers[name].close()
            self.workers[name] = Process(self.workers[name].name)
            return None
