"""What long runs, forks, signals, exits and the ends of memory do to the library: `make torture`, about an hour.

    python tests/torture/run.py [NAME...] [--share 0.1] [--first SEED] [--jobs 2]

Each try is a process of its own, whose seed is told; one try again: `run.py NAME --first SEED --tries 1`. A try fails
where it ends in an error, says anything on stderr, or stands still (tests/shared/children.py). Nothing else is timed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "shared")]

import children  # noqa: E402  (a folder of its own, as pytest's pythonpath has it)
from trials import TRIALS, Trial, program  # noqa: E402

OUTSIDE = {"lint": HERE.parent / "lint" / "hostile.py"}
"""Tortures that are programs of their own."""


def attempt(trial: Trial, seed: int) -> str:
    """What is wrong with one try; nothing where it is empty."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program(trial, seed)]
    try:
        [done] = children.finished([command])
    except children.StoodStill as error:
        return str(error)
    if done.returncode == 0 and not done.stderr:
        return ""
    return f"exit code {done.returncode}\n{done.stdout[-500:]}{done.stderr[-2500:]}"


def outcomes(trial: Trial, seeds: range, jobs: int) -> Iterator[tuple[int, str]]:
    """(seed, what is wrong) of each try, in order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(seeds, pool.map(lambda seed: attempt(trial, seed), seeds), strict=True)


def run(trial: Trial, seeds: range, jobs: int) -> int:
    """How many tries failed; tells each, and how far it is."""
    failed = 0
    for number, (seed, wrong) in enumerate(outcomes(trial, seeds, jobs), 1):
        if wrong:
            failed += 1
            print(f"\n{trial.name}, seed {seed}: {wrong}", flush=True)
        print(f"\r{trial.name}: {number} of {len(seeds)} tries, {failed} failed", end="", flush=True)
    print(flush=True)
    return failed


def outside(name: str) -> int:
    """1 where a torture that is a program of its own has failed."""
    if not OUTSIDE[name].exists():
        print(f"{name}: {OUTSIDE[name].name} is not there", flush=True)
        return 0
    done = children.python(str(OUTSIDE[name]), cpu=None)
    print(f"{name}: {'ok' if done.returncode == 0 else done.stdout[-3000:] + done.stderr[-3000:]}", flush=True)
    return int(done.returncode != 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*TRIALS, *OUTSIDE, []], metavar="NAME", help=", ".join(TRIALS))
    parser.add_argument("--share", type=float, default=1.0, help="this part of all tries")
    parser.add_argument("--tries", type=int, help="so many of each, instead")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="tries beside each other")
    given = parser.parse_args()
    failed: dict[str, int] = {}
    for name in given.names or [*TRIALS, *OUTSIDE]:
        if name in OUTSIDE:
            failed[name] = outside(name)
            continue
        trial = TRIALS[name]
        number = given.tries or max(1, round(given.share * trial.tries))
        print(f"{name}: {trial.what}; seeds {given.first} to {given.first + number - 1}", flush=True)
        failed[name] = run(trial, range(given.first, given.first + number), given.jobs)
    print("\n".join(f"{name:<12}{number} failed" for name, number in failed.items()))
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main())
