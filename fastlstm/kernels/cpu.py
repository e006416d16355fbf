"""What the operating system says of the CPU, where it says enough: LLVM need not be loaded to know the machine.

On Linux x86-64 that is /proc/cpuinfo, whose flags are those that the kernel lets programs use. Elsewhere LLVM is asked.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import NamedTuple

_CPUINFO = "/proc/cpuinfo"
_IDENTITY = ("vendor_id", "cpu family", "model", "stepping", "model name")
_LLVM = {
    "pni": "sse3", "sse4_1": "sse4.1", "sse4_2": "sse4.2", "lahf_lm": "sahf", "abm": "lzcnt", "bmi1": "bmi",
    "pclmulqdq": "pclmul", "rdrand": "rdrnd", "sha_ni": "sha", "3dnowprefetch": "prfchw", "avx512_vnni": "avx512vnni",
    "avx512_bf16": "avx512bf16", "avx512_fp16": "avx512fp16", "avx_vnni": "avxvnni",
}  # fmt: skip
"""Linux's names of features (arch/x86/include/asm/cpufeatures.h) that are others than LLVM's (X86.td)."""


class Cpu(NamedTuple):
    """Which one, and its features as LLVM words them: "+avx2,+fma"."""

    name: str
    features: str


ELSEWHERE = "FASTLSTM_SYSTEM"
"""The variable that names another system to compile for, as `system` words it."""


@cache
def system() -> str:
    """The machine, the system and its C library, which objects are made for: "x86_64-linux-glibc"."""
    if elsewhere := os.environ.get(ELSEWHERE):
        return elsewhere
    machine = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "unknown")
    if sys.maxsize < 1 << 32:
        machine = f"32 bits of {machine}"
    return f"{machine}-{sys.platform}{_libc()}"


@cache
def said() -> Cpu | None:
    """None where the system does not say it, or not in these words."""
    if not system().startswith("x86_64-linux"):
        return None
    try:
        with open(_CPUINFO, encoding="utf-8", errors="replace") as file:
            text = file.read(16384)  # the first processor's; of hundreds the system would write as many paragraphs
    except OSError:
        return None
    return parsed(text)


def parsed(text: str) -> Cpu | None:
    """The first paragraph of /proc/cpuinfo on x86."""
    told: dict[str, str] = {}
    for line in text.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        told[key.strip()] = value.strip()
    flags = told.get("flags", "").split()
    if "sse2" not in flags:  # every x86-64 has it: these are not the words that we know
        return None
    name = " ".join(told.get(key, "?") for key in _IDENTITY)
    return Cpu(name, ",".join(sorted(f"+{_LLVM.get(flag, flag)}" for flag in flags)))


def _libc() -> str:
    try:
        return "-" + (os.confstr("CS_GNU_LIBC_VERSION") or "other").split()[0]
    except (AttributeError, ValueError):
        return "-other" if sys.platform == "linux" else ""
