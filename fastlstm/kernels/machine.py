"""What the vector unit of this machine can do: the one place that reads CPU features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True, slots=True)
class Machine:
    """The vector unit the kernels are emitted for.

    vector_bytes: width of a register. tile_rows, tile_vectors: the register tile of the matrix product, R rows by C
    vectors; R*C accumulators, C weights and one or more broadcast values must fit the registers. fused: whether
    `llvm.fma` is an instruction (without it, LLVM calls libm's `fmaf` for each lane).
    """

    name: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    fused: bool

    def lanes(self, dtype: np.dtype) -> int:
        """How many numbers of `dtype` one register holds."""
        return self.vector_bytes // np.dtype(dtype).itemsize


# Tiles: 16 registers hold 6x2 (12 accumulators, 2 weights, 2 broadcasts); 32 hold 12x2, within 5 % of 8x3 and with more
# row counts that divide evenly (KERNELS notes in benchmarks/NOTES.md).
AVX512 = Machine("avx512", 64, 12, 2, True)
AVX2 = Machine("avx2", 32, 6, 2, True)
SSE = Machine("sse", 16, 6, 2, False)
NEON = Machine("neon", 16, 12, 2, True)
SCALAR = Machine("scalar", 8, 2, 2, False)


@cache
def host() -> Machine:
    """The machine that Numba compiles for: the host, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say."""
    from llvmlite import binding
    from numba.core import config

    triple = binding.get_process_triple()
    if triple.startswith(("aarch64", "arm64")):
        return NEON
    if not triple.startswith("x86_64"):
        return SCALAR
    if config.CPU_NAME:
        return _named(config.CPU_NAME, config.CPU_FEATURES or "")
    features = binding.get_host_cpu_features()
    return _from_features({name for name, there in features.items() if there})


def _from_features(features: set[str]) -> Machine:
    if {"avx512f", "avx512dq", "avx512vl"} <= features:
        return AVX512
    if {"avx2", "fma"} <= features:
        return AVX2
    return SSE


# x86 CPUs that can be named for a try on another machine: LLVM gives no way to ask which features a name implies.
_NAMED = {
    "skylake-avx512": AVX512,
    "cascadelake": AVX512,
    "icelake-server": AVX512,
    "znver4": AVX512,
    "haswell": AVX2,
    "skylake": AVX2,
    "znver2": AVX2,
    "znver3": AVX2,
    "nehalem": SSE,
    "core2": SSE,
    "x86-64": SSE,
}


def _named(name: str, features: str) -> Machine:
    if name in _NAMED:
        return _NAMED[name]
    return _from_features({word[1:] for word in features.split(",") if word.startswith("+")})
