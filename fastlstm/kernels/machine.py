"""What the vector unit of this machine can do: the one place that reads CPU features."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from llvmlite import binding


@dataclass(frozen=True, slots=True)
class Machine:
    """The vector unit the kernels are emitted for.

    vector_bytes: width of a register. tile_rows, tile_vectors: the register tile of the matrix product, R rows by C
    vectors; R*C accumulators, C weights and one or more broadcast values must fit the registers. fused: whether
    `llvm.fma` is an instruction (without it, LLVM calls libm's `fmaf` for each lane). narrow: the instructions that add
    up products of small integers: "pairs" (`pmaddwd`, `pmaddubsw`), "dot" (`vpdpbusd` too), or none of x86's.
    """

    name: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    fused: bool
    narrow: str = ""

    def lanes(self, dtype: np.dtype) -> int:
        """How many numbers of `dtype` one register holds."""
        return self.vector_bytes // np.dtype(dtype).itemsize


# Tiles: 16 registers hold 6x2 (12 accumulators, 2 weights, 2 broadcasts); 32 hold 12x2, within 5 % of 8x3 and with more
# row counts that divide evenly (KERNELS notes in benchmarks/NOTES.md).
AVX512 = Machine("avx512", 64, 12, 2, True, "pairs")
AVX512_VNNI = replace(AVX512, narrow="dot")
AVX2 = Machine("avx2", 32, 6, 2, True, "pairs")
SSE = Machine("sse", 16, 6, 2, False)
SSSE3 = replace(SSE, narrow="pairs")
NEON = Machine("neon", 16, 12, 2, True)
SCALAR = Machine("scalar", 8, 2, 2, False)


@dataclass(frozen=True, slots=True)
class Target:
    """What LLVM is asked to emit code for, in its own words."""

    triple: str
    cpu: str
    features: str


@cache
def target() -> Target:
    """The host, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say, as in Numba."""
    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name == "generic" else binding.get_host_cpu_features().flatten()
    return Target(binding.get_process_triple(), name or binding.get_host_cpu_name(), features)


@cache
def host() -> Machine:
    """The vector unit of `target`."""
    made_for = target()
    if made_for.triple.startswith(("aarch64", "arm64")):
        return NEON
    if not made_for.triple.startswith("x86_64"):
        return SCALAR
    if made_for.cpu in _NAMED and os.environ.get("NUMBA_CPU_NAME"):
        return _NAMED[made_for.cpu]
    return _from_features({word[1:] for word in made_for.features.split(",") if word.startswith("+")})


def _from_features(features: set[str]) -> Machine:
    if {"avx512f", "avx512dq", "avx512vl"} <= features:
        narrow = AVX512_VNNI if "avx512vnni" in features else AVX512
        return narrow if "avx512bw" in features else replace(AVX512, narrow="")
    if {"avx2", "fma"} <= features:
        return AVX2
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
