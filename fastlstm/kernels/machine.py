"""What the vector unit of this machine can do: the one place that reads CPU features."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

import numpy as np

from fastlstm.kernels import cpu


class Machine(NamedTuple):
    """The vector unit the kernels are emitted for.

    vector_bytes: width of a register. tile_rows, tile_vectors: the register tile of the matrix product, R rows by C
    vectors; R*C accumulators, C weights and one or more broadcast values must fit the registers. fused: whether
    `llvm.fma` is an instruction (without it, LLVM calls libm's `fmaf` for each lane). narrow: the instructions that add
    up products of small integers: "pairs" (`pmaddwd`, `pmaddubsw`), "dot" (`vpdpbusd` too), "sdot" (ARM's), or none.
    halves: whether there is an instruction that makes numbers of 16 bits wider.
    """

    name: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    fused: bool
    narrow: str = ""
    halves: bool = True

    def lanes(self, dtype: np.dtype) -> int:
        """How many numbers of `dtype` one register holds."""
        return self.vector_bytes // np.dtype(dtype).itemsize


# Tiles: 16 registers hold 6x2 (12 accumulators, 2 weights, 2 broadcasts); 32 hold 12x2, within 5 % of 8x3 and with more
# row counts that divide evenly (KERNELS notes in benchmarks/NOTES.md).
AVX512 = Machine("avx512", 64, 12, 2, True, "pairs")
AVX512_VNNI = AVX512._replace(narrow="dot")
AVX2 = Machine("avx2", 32, 6, 2, True, "pairs")
SSE = Machine("sse", 16, 6, 2, False, halves=False)
SSSE3 = SSE._replace(narrow="pairs")
NEON = Machine("neon", 16, 12, 2, True)
NEON_DOT = NEON._replace(narrow="sdot")
SCALAR = Machine("scalar", 8, 2, 2, False, halves=False)


class Target(NamedTuple):
    """What LLVM is asked to emit code for, in its own words."""

    triple: str
    cpu: str
    features: str


@cache
def target() -> Target:
    """The host, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say, as in Numba. To ask is to load LLVM."""
    from llvmlite import binding  # 0.09 s, which a process whose code is kept does without

    name, features = _named()
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    elsewhere = f"{cpu.system().split('-')[0]}-unknown-linux-gnu" if os.environ.get(cpu.ELSEWHERE) else ""
    return Target(elsewhere or binding.get_process_triple(), name or binding.get_host_cpu_name(), features)


@cache
def machine_words() -> cpu.Cpu:
    """The CPU and features that code is made for: what the variables of `target` say, else the system, else LLVM."""
    name, features = _named()
    if name and features is not None:
        return cpu.Cpu(name, features)
    here = cpu.said() or cpu.Cpu(target().cpu, target().features)
    return cpu.Cpu(name or here.name, here.features if features is None else features)


def _named() -> tuple[str | None, str | None]:
    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    if os.environ.get(cpu.ELSEWHERE):  # what this CPU can do is not asked then
        name = name or "generic"
    return name, "" if features is None and name == "generic" else features


@cache
def host() -> Machine:
    """The vector unit that code is made for."""
    words = machine_words()
    features = {word[1:] for word in words.features.split(",") if word.startswith("+")}
    if cpu.system().startswith(("aarch64", "arm64", "ARM64")):
        return NEON_DOT if "dotprod" in features else NEON
    if not cpu.system().startswith(("x86_64-", "AMD64-", "amd64-")):
        return SCALAR
    if _named()[0] and words.name in _NAMED:
        return _NAMED[words.name]
    return _from_features(features)


def _from_features(features: set[str]) -> Machine:
    if {"avx512f", "avx512dq", "avx512vl"} <= features:
        narrow = AVX512_VNNI if "avx512vnni" in features else AVX512
        return narrow if "avx512bw" in features else AVX512._replace(narrow="")
    if {"avx2", "fma"} <= features:
        return AVX2 if "f16c" in features else AVX2._replace(halves=False)
    return SSSE3 if "ssse3" in features else SSE


# x86 CPUs that can be named for a try on another machine: LLVM gives no way to ask which features a name implies.
_NAMED = {
    "skylake-avx512": AVX512,
    "cascadelake": AVX512_VNNI,
    "icelake-server": AVX512_VNNI,
    "znver4": AVX512_VNNI,
    "haswell": AVX2,
    "skylake": AVX2,
    "znver2": AVX2,
    "znver3": AVX2,
    "nehalem": SSSE3,
    "core2": SSSE3,
    "x86-64": SSE,
}
