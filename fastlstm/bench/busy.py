"""Other programs on the machine: one that is made to compute beside a measurement, and those that were there anyway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any, Self

from fastlstm import info
from fastlstm.bench.process import CAN_STOP

SPIN = "while True: pass"
OTHERS = 0.1
"""CPUs used by other programs, or taken by other machines: with more than this, figures are those of a busy machine."""


class Neighbour:
    """A process that computes as long as it is let, on whatever CPU the system gives it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """It runs inside this block, and nowhere else."""
        if self._process is None:
            self._process = subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.DEVNULL)
        elif CAN_STOP:
            self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            if CAN_STOP:
                self._process.send_signal(signal.SIGSTOP)
            else:
                self.close()

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def machine(cpus: int) -> dict[str, Any]:
    """What this machine is, for whoever reads the figures elsewhere."""
    uname = os.uname() if hasattr(os, "uname") else None
    return {
        "cpu": info.cpu_name(),
        "cpus": cpus,
        "features": info.cpu_features(),
        "os": f"{uname.sysname} {uname.release} {uname.machine}" if uname else sys.platform,
        "python": sys.version.split()[0],
        "numpy": version("numpy"),
        "numba": version("numba"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # when it began
    }


@dataclass(frozen=True)
class Usage:
    """Seconds since some time in the past: of the clock, of all CPUs' work, stolen by other machines, and our own."""

    clock: float
    worked: float
    stolen: float
    own: float

    def since(self, before: Usage) -> dict[str, float]:
        """CPUs that other programs used meanwhile, and that other machines took from this one."""
        clock = max(self.clock - before.clock, 1e-9)
        others = self.worked - before.worked - (self.own - before.own)
        return {"others": max(others, 0.0) / clock, "stolen": (self.stolen - before.stolen) / clock}


def usage(stat: Path = Path("/proc/stat")) -> Usage | None:
    """As Linux tells it; None elsewhere. A child counts as our own once it has ended and been waited for."""
    try:
        user, nice, system, _, _, irq, soft, stolen = map(int, stat.read_text().split()[1:9])
    except (OSError, ValueError):
        return None
    ticks, times = os.sysconf("SC_CLK_TCK"), os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return Usage(monotonic(), (user + nice + system + irq + soft) / ticks, stolen / ticks, own)
