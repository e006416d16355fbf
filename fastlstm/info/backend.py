"""Which backend serves what on this machine, and why the others cannot."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from fastlstm.info.machine import cpu_features

# What each set of kernels is emitted for, best first; kernels/machine.py chooses by the same features.
VECTOR_UNITS = {
    "avx512": frozenset({"avx512f", "avx512dq", "avx512vl"}),
    "avx2": frozenset({"avx2", "fma"}),
    "neon": frozenset({"neon"}),
    "sse": frozenset({"sse2"}),
    "scalar": frozenset[str](),
}
KERNELS_SERVE = "NumPy layers, float32 and float64, forward and backward"


@dataclass(frozen=True)
class Backend:
    """`serves` says what it is used for here; where it is None, `reason` says why it is not used."""

    name: str
    serves: str | None
    reason: str | None = None


def backends() -> list[Backend]:
    """Every backend there is, the CPU's vector units first."""
    return [*_vector_units(), *_optional()]


def _vector_units() -> list[Backend]:
    from fastlstm.kernels.machine import host

    chosen, there = host().name, set(cpu_features())
    found = []
    for name, needed in VECTOR_UNITS.items():
        if name == chosen:
            found.append(Backend(name, KERNELS_SERVE + _limit()))
        elif needed - there:
            found.append(Backend(name, None, f"this {platform.machine()} CPU lacks {' '.join(sorted(needed - there))}"))
        else:
            found.append(Backend(name, None, f"{chosen} serves instead"))
    return found


def _limit() -> str:
    """What is behind the compiler's own switch."""
    disabled = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    return "; only what is compiled already: NUMBA_DISABLE_JIT is set" if disabled else ""


def _optional() -> list[Backend]:
    tried: list[tuple[str, Callable[[], str], Callable[[], str | None]]] = [
        ("torch", lambda: "fastlstm.torch: drop-in modules", _no_torch),
        ("cuda", lambda: f"{_gpu_name()}: LSTM, GRU, RNN and their cells, float32 and float64", _no_cuda),
    ]
    reasons = [(name, serves, why_not()) for name, serves, why_not in tried]
    return [Backend(name, None, reason) if reason else Backend(name, serves()) for name, serves, reason in reasons]


def _no_torch() -> str | None:
    if find_spec("fastlstm.torch") is None:
        return "not part of this version"
    return None if find_spec("torch") else "torch is not installed: pip install 'fastlstm[torch]'"


def _no_cuda() -> str | None:
    from fastlstm.cuda import why_not

    return why_not()


def _gpu_name() -> str:
    from fastlstm.cuda import device_name

    return device_name()
