"""The command: many programs, and what is wrong with them."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections import Counter

import torch

from . import __doc__ as description
from .judge import Verdict, judge, program, shrunk
from .maker import HEADER


def sentence(error: str) -> str:
    """An error without its numbers, to count by."""
    return re.sub(r"\d+", "N", error)[:90]


def complaint(verdict: Verdict) -> tuple[str, str] | None:
    """What is wrong with a verdict, and its kind."""
    if verdict.missed:
        return "missed", sentence(verdict.error)
    if verdict.false:
        return "false", verdict.false[0][0]
    if verdict.untrue:
        return "untrue", sentence(re.sub(r"^\w+: ", "", verdict.untrue[0]))
    return None


def main() -> int:
    """Judge the programs of many seeds."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("last", type=int, nargs="?", default=10_000)
    parser.add_argument("--show", type=int, default=0, help="wrong cases to print, made small")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    refused: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    shown = 0
    for seed in range(options.first, options.last):
        verdict = judge(program(seed))
        if verdict.line is not None:
            refused[sentence(verdict.error)] += 1
        kind = complaint(verdict)
        if kind is None:
            continue
        wrong[kind] += 1
        if shown < options.show and wrong[kind] <= 3:
            shown += 1
            small = shrunk(verdict.source, lambda each, kind=kind: complaint(each) == kind)  # type: ignore[misc]
            again = judge(small)
            body, front = small.removeprefix(HEADER), HEADER.count("\n")
            line = None if again.line is None else again.line - front
            print(f"--- seed {seed}: {kind[0]} {again.error} line {line} {again.false} {again.untrue}")
            print(body, flush=True)
    total = sum(refused.values())
    counts = {word: sum(n for (each, _), n in wrong.items() if each == word) for word in ("missed", "false", "untrue")}
    found = total - counts["missed"]
    print(f"{options.last - options.first} programs: torch refuses {total}, of which {found} are found")
    print(f"{counts['false']} false, {counts['untrue']} untrue")
    for (word, kind), count in wrong.most_common():
        print(f"{word} {count:4} of {refused.get(kind, 0):4}  {kind}")
    return 1 if counts["missed"] > total // 100 or counts["false"] or counts["untrue"] else 0


if __name__ == "__main__":
    sys.exit(main())
