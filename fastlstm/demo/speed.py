"""A few layers beside torch, where torch is installed."""

from __future__ import annotations

from importlib.util import find_spec

from fastlstm.bench import driver
from fastlstm.bench.result import Result, geometric_mean
from fastlstm.bench.table import duration, sizes
from fastlstm.bench.workload import load
from fastlstm.demo.showing import Part, Showing, Watch
from fastlstm.engine.pool import cores

ROWS = ("vad-stream", "rl-rollout", "forecast-small", "word-lm")
ROUNDS = 5
SECONDS = 0.15


def run(watch: Watch) -> Showing:
    known, names = load(), ("fastlstm", "torch")
    workloads = [known[name] for name in ROWS]
    count = driver.steps(workloads, names, ROUNDS)
    ticks = iter(watch(range(count), "timing by turns", count))
    result = driver.run(workloads, names, cores(), ROUNDS, SECONDS, lambda what: next(ticks, None))
    for _ in ticks:  # to the bar's end
        pass
    return _showing(result)


def _showing(result: Result) -> Showing:
    ratios = {row.workload.name: row.ratio("torch") for row in result.rows}
    timed = [ratio for ratio in ratios.values() if ratio is not None]
    detail = []
    for row in result.rows:
        what = f"{row.workload.name}, {row.workload.mode}, {sizes(row.workload)}"
        if row.ratio("torch") is None:
            detail.append(f"{what:<48}" + "; ".join(f"{name}: {reason}" for name, reason in row.refused.items()))
        else:
            ours, torchs = (duration(row.timings[name].best) for name in ("fastlstm", "torch"))
            detail.append(f"{what:<48}{ours:>8}  torch {torchs:>8}  {row.ratio('torch'):5.1f}x")
    if not timed:
        return Showing("nothing could be timed beside torch.", False, detail)
    faster = sum(ratio > 1 for ratio in timed)
    return Showing(
        f"{faster} of {len(ratios)} layers faster than torch {result.versions['torch']}, on average "
        f"{geometric_mean(timed):.1f} times, the same numbers computed.",
        len(timed) == len(ratios),
        detail,
    )


def missing() -> str | None:
    return None if find_spec("torch") else "torch to compare with: pip install torch==2.13.0"


PART = Part("The time of a few layers beside torch", run, missing)
