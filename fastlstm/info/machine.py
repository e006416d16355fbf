"""The CPU: its name, and what its vector unit can do."""

from __future__ import annotations

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


def cpu_features() -> list[str]:
    """Those of VECTOR_FEATURES that LLVM sees on this machine."""
    from llvmlite import binding

    there = binding.get_host_cpu_features()
    return [name for name in VECTOR_FEATURES if there.get(name)]
