"""Figures that no row of `fastlstm bench` holds: errors beside torch's, the price of padding saved, memory over time.

python benchmarks/promises.py errors     # of every workload, needs torch
python benchmarks/promises.py packed     # against the padded batch
python benchmarks/promises.py memory     # 100,000 calls of changing shapes
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable

import click
import numpy as np

import fastlstm
from fastlstm.bench.libraries import library
from fastlstm.bench.result import geometric_mean
from fastlstm.bench.workload import load, problem


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
def errors() -> None:
    """Errors of float32 against the float64 reference, of ours over torch's: root mean square, and largest."""
    ratios: dict[str, list[float]] = {"rms": [], "largest": []}
    click.echo(f"{'':<16}{'rms ours':>10}{'torch':>10}{'ratio':>7}   {'largest ours':>12}{'torch':>10}{'ratio':>7}")
    for work in load().values():
        if work.mode == "model":
            continue
        given = problem(work)
        truth = library("reference").build(given, 1).results()
        found = {name: _errors(library(name).build(given, 2).results(), truth) for name in ("fastlstm", "torch")}
        line = f"{work.name:<16}"
        for number, (kind, gap) in enumerate((("rms", ""), ("largest", "   "))):
            ours, theirs = found["fastlstm"][number], found["torch"][number]
            ratios[kind].append(ours / theirs)
            line += f"{gap}{ours:>{10 if not gap else 12}.2e}{theirs:>10.2e}{ours / theirs:>7.2f}"
        click.echo(line)
    for kind, values in ratios.items():
        click.echo(f"geometric mean of the ratios, {kind}: {geometric_mean(values):.2f}; worst {max(values):.2f}")


def _errors(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> tuple[float, float]:
    """(root mean square, largest): of the worst array, relative to its own root mean square and largest value."""
    rms, largest = 0.0, 0.0
    for name, expected in truth.items():
        gap, expected = found[name].astype(np.float64) - expected, expected.astype(np.float64)
        rms = max(rms, float(np.sqrt(np.mean(gap**2) / np.mean(expected**2))))
        largest = max(largest, float(np.abs(gap).max() / np.abs(expected).max()))
    return rms, largest


@main.command()
@click.option("--seconds", default=20.0)
def packed(seconds: float) -> None:
    """Training on a packed batch over training on the padded one, beside the share of tokens that are valid."""
    work = load()["tagger"]
    lstm = fastlstm.LSTM(work.I, work.H, work.L, bidirectional=work.D == 2, seed=0)
    draw = np.random.default_rng(0)
    x = draw.standard_normal((work.T, work.B, work.I)).astype(np.float32)
    lengths = draw.integers(8, work.T + 1, work.B)
    lengths[0] = work.T
    sequences = fastlstm.pack_padded_sequence(x, lengths, enforce_sorted=False)

    def train(given: object) -> Callable[[], object]:
        output = lstm(given)[0]
        return lambda: lstm.backward((lstm(given), output)[1])

    ways = {"packed": train(sequences), "padded": train(x)}
    best = dict.fromkeys(ways, float("inf"))
    for way in _turns(ways, seconds):
        start = time.perf_counter()
        ways[way]()
        best[way] = min(best[way], time.perf_counter() - start)
    share = float(lengths.sum()) / (work.T * work.B)
    ratio = best["packed"] / best["padded"]
    click.echo(f"valid tokens {share:.3f} of all, packed {best['packed']:.4f} s, padded {best['padded']:.4f} s")
    click.echo(f"time {ratio:.3f} of the padded batch's: {ratio / share:.2f} times the valid share")


def _turns(names: Iterable[str], seconds: float) -> Iterable[str]:
    names, end = list(names), time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield from names


@main.command()
@click.option("--calls", default=100_000)
def memory(calls: int) -> None:
    """Resident memory while one layer is called with shapes that change from call to call."""
    lstm = fastlstm.LSTM(8, 16, 2, bidirectional=True, seed=0)
    draw = np.random.default_rng(0)
    with click.progressbar(range(calls + 1), label="calls", update_min_steps=1000) as numbers:
        for number in numbers:
            T, B = draw.integers(1, 40, 2)
            x = draw.standard_normal((T, B, 8)).astype(np.float32)
            lstm.train(bool(number % 2))
            if number % 3:
                output, _ = lstm(x)
            else:
                output, _ = lstm(fastlstm.pack_padded_sequence(x, np.sort(draw.integers(1, T + 1, B))[::-1].copy()))
            if lstm.training and number % 5:
                lstm.backward(output)
                lstm.zero_grad()
            if number % (calls // 10) == 0:
                most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KB on Linux
                click.echo(f"  after {number:>6} calls at most {most:.1f} MB")


if __name__ == "__main__":
    main()
