"""Programs with mistakes of every kind, by seed: what the linter must survive.

    python tests/lint/mutants.py [FIRST] [LAST]

checks seeds FIRST to LAST (0 to 10,000 by default) and prints those that make the linter fail or take too long.
"""

from __future__ import annotations

import ast
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise

from fastlstm_lint import check_source
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER
from fastlstm_lint.shapes.document import Document
from fastlstm_lint.shapes.lines import Unreadable

WORDS = ["x", "self", "None", "torch", "h_n", "0", "-1", "(x, x)", "[]", "*x", "x[:, -1]", "nn.LSTM(5, 6)", "..."]
WORDS += ["lambda: x", "x if x else 0", "[y for y in x]", "{}", "10**9", "1e400", "not x", "await x", "yield", "x := 1"]
ODD = [
    "\x00",
    "\x0c",
    "\ufeff",
    "\t",
    "\r",
    "\u2028",
    "é",
    "\U0001d4d0",
    "\\",
    '"""',
    "'",
    "#",
    "(",
    ")",
    ";",
    ":",
    "@",
]
SECONDS = 10.0
"""More than a hundred times what a program of this length takes on a busy machine."""


class TooSlow(BaseException):
    """A program took longer than it may; no failure of the linter itself, which catches those."""


@cache
def programs() -> tuple[str, ...]:
    """The programs to start from: those of the rules, alone and two in one file."""
    alone = [HEADER + case.code for rule in load_rules() for case in rule.invalid]
    alone += [HEADER + case.code for rule in load_rules() for case in rule.valid]
    return (*alone, *(first + second for first, second in pairwise(alone)))


def mutant(seed: int) -> str:
    """A program changed in up to six ways; three of four can still be parsed."""
    rng = random.Random(seed)
    program = rng.choice(programs())
    broken = rng.random() < 0.25
    for _ in range(rng.randint(1, 6)):
        after = rng.choice(CHANGES)(program, rng)
        program = after if broken or parsed(after) is not None else program
    return program


def exchange_words(program: str, rng: random.Random) -> str:
    lines = program.split("\n")
    i = rng.randrange(len(lines))
    words = lines[i].split(" ")
    at = rng.randrange(len(words))
    words[at] = rng.choice(WORDS) if words[at] else words[at]
    lines[i] = " ".join(words)
    return "\n".join(lines)


def exchange_lines(program: str, rng: random.Random) -> str:
    lines = program.split("\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def exchange_expressions(program: str, rng: random.Random) -> str:
    """One expression in the place of another: what comes out can mostly be parsed."""
    lines = program.split("\n")
    spans = _expressions(program)
    if not spans:
        return program
    row, start, end = rng.choice(spans)
    other, first, last = rng.choice(spans)
    text = lines[other][first:last] if rng.random() < 0.7 else rng.choice(WORDS)
    lines[row] = f"{lines[row][:start]}{text}{lines[row][end:]}"
    return "\n".join(lines)


def _expressions(program: str) -> list[tuple[int, int, int]]:
    """Line, start and end of every expression that stands on one line of ASCII text."""
    tree = parsed(program)
    return [
        (node.lineno - 1, node.col_offset, node.end_col_offset or 0)
        for node in (() if tree is None or "\r" in program or not program.isascii() else ast.walk(tree))
        if isinstance(node, ast.expr) and node.lineno == node.end_lineno
    ]


def parsed(program: str) -> ast.Module | None:
    """Python's tree of a program; None if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(program)
    except (SyntaxError, ValueError):
        return None


def put_odd(program: str, rng: random.Random) -> str:
    at = rng.randrange(len(program) + 1)
    return program[:at] + rng.choice(ODD) + program[at + rng.randint(0, 2) :]


def indent(program: str, rng: random.Random) -> str:
    lines = program.split("\n")
    i = rng.randrange(len(lines))
    lines[i] = lines[i].lstrip() if rng.random() < 0.3 else " " * rng.choice([1, 4, 8]) + lines[i]
    return "\n".join(lines)


def repeat(program: str, rng: random.Random) -> str:
    """A stretch of lines twice, or left out."""
    lines = program.split("\n")
    i, j = sorted((rng.randrange(len(lines)), rng.randrange(len(lines))))
    return "\n".join([*lines[:j], *(lines[i:] if rng.random() < 0.6 else lines[j + 1 :])])


CHANGES = (exchange_words, exchange_lines, exchange_expressions, exchange_expressions, put_odd, indent, repeat)


def complaint(program: str) -> str | None:
    """What goes wrong when the linter reads a program: a failure of its own, or None."""
    failed = [finding.message for finding in check_source(program, "mutant.py") if finding.code == "FL902"]
    if failed and failed[0] != "nested too deeply to be analysed":
        return failed[0]
    try:
        document = Document(program, "mutant.py")
        document.shown()
        document.contradictions()
    except Unreadable as error:
        return str(error) if "internal error" in str(error) else None
    return None


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooSlow in what takes longer, in this process's own time: it may have to wait for others."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def main() -> int:
    first, last = [*map(int, sys.argv[1:3]), *([0, 10_000][len(sys.argv) - 1 :])][:2]
    failed, slowest = 0, 0.0
    for seed in range(first, last):
        start = time.process_time()
        try:
            with limited(SECONDS):
                message = complaint(mutant(seed))
        except TooSlow:
            message = f"longer than {SECONDS} s"
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
        slowest = max(slowest, time.process_time() - start)
        if message is not None:
            failed += 1
            print(f"seed {seed}: {message}", flush=True)
    print(f"{last - first} programs, {failed} failures, the slowest took {slowest:.2f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
