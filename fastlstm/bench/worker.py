"""One library in its own process, `python -m fastlstm.bench.worker torch`: commands and replies are JSON lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np

from fastlstm.bench import check, timing
from fastlstm.bench.libraries import OF_WEIGHTS, Task, library
from fastlstm.bench.workload import Workload, problem

WARM_SECONDS = 0.05


class Worker:
    """Holds one library, and at most one task made ready in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.task: Task | None = None

    def version(self) -> dict[str, Any]:
        return {"version": library(self.name).version()}

    def prepare(self, workload: dict[str, Any], threads: int, truth: str | None = None) -> dict[str, Any]:
        """Make a task ready: build, first call, comparison with the results in the file `truth`, warm-up."""
        self.task = None
        work = Workload(**workload)
        refusal = library(self.name).refuses(work)
        if work.weights and self.name not in OF_WEIGHTS[work.weights]:
            refusal = f"no {work.weights} weights"
        if refusal:
            return {"refused": refusal}
        given = problem(work)
        start = perf_counter()
        task = library(self.name).build(given, threads)
        task.call()
        first = perf_counter() - start
        reply: dict[str, Any] = {"first_call": first}
        if truth is not None:
            with np.load(truth) as stored:
                reply["errors"] = check.errors(task.results(), dict(stored))
            wrong = check.verdict(reply["errors"], check.NARROW if work.weights else check.TOLERANCE)
            if wrong:
                return reply | {"refused": wrong}
        timing.times(task.call, WARM_SECONDS)
        self.task = task
        return reply

    def time(self, seconds: float) -> dict[str, Any]:
        assert self.task is not None, "prepare first"
        return {"times": timing.times(self.task.call, seconds)}

    def truth(self, workload: dict[str, Any], path: str) -> dict[str, Any]:
        """Write a workload's results to a file for the others' comparison."""
        results: dict[str, Any] = library(self.name).build(problem(Workload(**workload)), 1).results()
        np.savez(path, **results)
        return {}

    def release(self) -> dict[str, Any]:
        self.task = None
        return {}

    def limits(self, threads: int, seconds: float) -> dict[str, Any]:
        from fastlstm.bench.limits import measure

        return asdict(measure(threads, seconds))


def main() -> None:
    # A library that prints must not print into the replies: they keep the original stdout, print goes to stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        command = json.loads(line)
        method: Callable[..., dict[str, Any]] = getattr(worker, command.pop("do"))
        replies.write(json.dumps(method(**command)) + "\n")


if __name__ == "__main__":
    main()
