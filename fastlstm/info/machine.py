"""The CPU: its name, how much of it this process may use, and what its vector unit can do."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

VECTOR_FEATURES = ("sse2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "avx512bf16", "neon", "sve", "sve2")
"""The features worth showing: those that a choice of kernel depends on, and their neighbours."""


@cache
def cpu_name() -> str:
    """As the system words it."""
    if platform.system() == "Linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "Hardware", "uarch"}:
                return value.strip()
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPUs' worth of time that the control group grants, or None where there is no limit (cgroup v2 or v1)."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return None if limit == "max" or int(limit) < 0 else int(limit) / int(period)


def cpu_features() -> list[str]:
    """Those of VECTOR_FEATURES that LLVM sees on this machine."""
    from llvmlite import binding

    there = binding.get_host_cpu_features()
    return [name for name in VECTOR_FEATURES if there.get(name)]
