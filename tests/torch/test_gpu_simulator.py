"""The layers with tensors that stand for CUDA tensors, in Numba's simulator: it is taken up only before Numba is."""

from __future__ import annotations

import os
from pathlib import Path


def test_the_suite_passes_in_the_simulator(python) -> None:  # type: ignore[no-untyped-def]
    suite = str(Path(__file__).with_name("test_gpu.py"))
    done = python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", suite),
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cpu=None,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed, 3 skipped" in done.stdout  # streams, graphs, two GPUs
