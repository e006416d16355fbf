"""Processes that a test starts, and what ends one that would never end by itself.

A busy or slow machine makes a program late and does not make it wrong, so no limit here is one of wall time. A process
that computes for ever meets its limit of processor time; one that waits for ever stands still, and so it is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CPU = 1200.0
"""Seconds of processor time that a process may use: ten times what the longest of the suite's needs here."""

STILL = 120.0
"""Seconds of the clock in which processes that live use some processor, on whatever machine."""
LEAST = 0.2
"""How much: a thread that looks twice in a second whether something has happened uses 0.01 in STILL."""

LOOK = 5.0


class StoodStill(AssertionError):
    """The processes waited for something that did not come."""


def python(*arguments: str, cpu: float | None = CPU, **options: Any) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that has ended: `python("-c", code)`, `python("-m", "fastlstm", "info")`."""
    return finished([[sys.executable, *arguments]], cpu=cpu, **options)[0]


def finished(
    commands: Sequence[Sequence[str]], *, cpu: float | None = CPU, still: float = STILL, **options: Any
) -> list[subprocess.CompletedProcess[str]]:
    """What these commands, run beside each other, said, and their exit codes (-24 after `cpu` seconds of processor).

    StoodStill where all of them together used next to no processor for `still` seconds; none is left behind.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = [(Path(folder, f"{n}.out"), Path(folder, f"{n}.err")) for n in range(len(commands))]
        started: list[subprocess.Popen[bytes]] = []
        try:
            for command, (out, err) in zip(commands, said, strict=True):
                with out.open("wb") as stdout, err.open("wb") as stderr:
                    started.append(subprocess.Popen(command, stdout=stdout, stderr=stderr, **options))
                _limit(started[-1].pid, cpu)
            _wait(started, still, said)
        finally:
            for process in started:
                process.kill()
                process.wait()
        return [
            subprocess.CompletedProcess(command, process.returncode, out.read_text("utf-8"), err.read_text("utf-8"))
            for command, process, (out, err) in zip(commands, started, said, strict=True)
        ]


def _limit(pid: int, cpu: float | None) -> None:
    """Of processor time, for the process and for each that it starts. Linux only."""
    if cpu is not None and sys.platform == "linux":
        import resource

        resource.prlimit(pid, resource.RLIMIT_CPU, (int(cpu), int(cpu) + 5))


def _wait(processes: list[subprocess.Popen[bytes]], still: float, said: Sequence[tuple[Path, Path]]) -> None:
    alive, used, since = list(processes), 0.0, time.monotonic()
    while alive:
        try:
            alive[0].wait(min(LOOK, still))
            alive = [process for process in alive if process.poll() is None]
        except subprocess.TimeoutExpired:
            pass
        if alive and sys.platform == "linux":
            now = processor_time([process.pid for process in alive])
            if abs(now - used) > LEAST:
                used, since = now, time.monotonic()
            elif time.monotonic() - since > still:
                for process in alive:
                    process.send_signal(signal.SIGABRT)  # a program with faulthandler.enable() tells where it stands
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(LOOK)
                heard = "\n".join(path.read_text("utf-8", errors="replace") for pair in said for path in pair)
                raise StoodStill(f"no progress in {still:.0f} s\n{heard}")


def processor_time(pids: Sequence[int]) -> float:
    """Seconds that these processes and their descendants have used, those that have ended included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(folder.name)] = int(fields[1])
        ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    wanted, fresh = set(), set(pids)
    while fresh:
        wanted |= fresh
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - wanted
    return sum(ticks.get(pid, 0) for pid in wanted) / os.sysconf("SC_CLK_TCK")
