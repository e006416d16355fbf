"""The suites that want a GPU, in the CUDA simulator: Numba takes it up only before it is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NAMES = ("test_device.py", "test_device_layers.py", "test_blocks.py", "test_streams.py")


@pytest.mark.parametrize("name", NAMES)
def test_the_suite_passes_in_the_simulator(name: str, python) -> None:  # type: ignore[no-untyped-def]
    done = python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).with_name(name))),
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cpu=None,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
