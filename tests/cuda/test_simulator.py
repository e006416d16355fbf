"""The suite of `test_device.py` in Numba's CUDA simulator, which Numba takes up only before it is imported."""

from __future__ import annotations

import os
from pathlib import Path

SUITE = Path(__file__).with_name("test_device.py")


def test_the_suite_passes_in_the_simulator(python) -> None:  # type: ignore[no-untyped-def]
    done = python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITE)),
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
