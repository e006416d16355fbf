"""How fast `fastlstm lint` is on one core: lines per second of recurrent code and of everything else, and its start.

    python benchmarks/lint_speed.py [--recurrent PATH...] [--tree PATH...] [--json FILE]

Recurrent code is two things: the wrong and right programs of all rules, joined by rule, with a finding in every 25
lines or so, and the recurrent files below PATH (torch's own by default). The tree is what is installed of torch, numpy
and pip. Nothing is cached. Times are the best of `--repeat`; a start is a new process, the median of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from fastlstm_lint import Settings
from fastlstm_lint.engine import relevant
from fastlstm_lint.files import discover
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER, Right, Wrong
from fastlstm_lint.run import check_files

STARTS = {
    "--help": ["--help"],
    "a file without recurrent code": ["--no-cache", "plain.py"],
    "a recurrent file": ["--no-cache", "recurrent.py"],
    "a recurrent file, cached": ["recurrent.py"],
}


@dataclass(frozen=True)
class Speed:
    """One measurement: what was read, and the lines of it per second."""

    name: str
    files: int
    lines: int
    findings: int
    lines_per_second: float


def package(name: str) -> Path | None:
    """The folder of an installed package."""
    spec = find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def best(run: Callable[[], int], repeat: int) -> tuple[float, int]:
    """The shortest time of several runs, and what the last one gave."""
    shortest, given = float("inf"), 0
    for _ in range(repeat):
        start = time.perf_counter()
        given = run()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest, given


def measure(name: str, files: list[Path], repeat: int) -> Speed:
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    seconds, findings = best(lambda: len(check_files(files, Settings()).findings), repeat)
    return Speed(name, len(files), lines, findings, lines / seconds)


def programs(folder: Path) -> list[Path]:
    """The programs of the rules, one file per rule."""
    paths = []
    for rule in load_rules():
        path = folder / f"{rule.code}.py"
        cases: list[Wrong | Right] = [*rule.invalid, *rule.valid]
        path.write_text(HEADER + "".join(case.code for case in cases))
        paths.append(path)
    return paths


def below(paths: list[Path], recurrent: bool) -> list[Path]:
    settings = Settings(respect_gitignore=False)
    found = [path for place in paths for path in discover([str(place)], settings) if path.suffix == ".py"]
    return [path for path in found if relevant(path.read_bytes())] if recurrent else found


def start(arguments: list[str], folder: Path, repeat: int) -> float:
    """Seconds from the start of a process to its end; its modules are compiled, as an installed package's are."""
    times = []
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    for _ in range(repeat + 1):
        begin = time.perf_counter()
        command = [sys.executable, "-m", "fastlstm", "lint", *arguments]
        subprocess.run(command, cwd=folder, capture_output=True, check=True, env=environment)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])  # the first compiles


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--recurrent", type=Path, nargs="*", help="files or folders with recurrent code")
    parser.add_argument("--tree", type=Path, nargs="*", help="folders of code of any kind")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    options = parser.parse_args()
    trees = options.tree or [path for name in ("torch", "numpy", "pip") if (path := package(name)) is not None]
    torch = package("torch")
    code = options.recurrent or ([] if torch is None else [torch / "nn", torch / "ao", torch / "onnx"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        speeds = [measure("programs of the rules", programs(folder), options.repeat)]
        if code:
            speeds.append(measure("recurrent files", below(code, recurrent=True), options.repeat))
        speeds.append(measure("tree", below(trees, recurrent=False), 1))
        for speed in speeds:
            print(
                f"{speed.name:24} {speed.lines_per_second:10,.0f} lines/s  "
                f"({speed.files} files, {speed.lines:,} lines, {speed.findings} findings)"
            )
        (folder / "plain.py").write_text("x = 1\n")
        (folder / "recurrent.py").write_text("import torch.nn as nn\n\nlstm = nn.LSTM(5, 6)\n")
        starts = {title: start(arguments, folder, options.repeat) for title, arguments in STARTS.items()}
        for title, seconds in starts.items():
            print(f"start, {title:30} {seconds:.2f} s")
    if options.json is not None:
        figures = {"speed": [asdict(speed) for speed in speeds], "start_seconds": starts}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
