"""What tests in more than one folder share."""

from __future__ import annotations

import datetime
import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

# Of the tests marked slow one in three runs, drawn by the day; FASTLSTM_SLOW=all runs all, a number is a seed.
SLOW = os.environ.get("FASTLSTM_SLOW") or datetime.datetime.now(datetime.UTC).date().isoformat()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out two thirds of the slow tests."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    if SLOW == "all" or not slow:
        return
    chosen = set(random.Random(SLOW).sample(sorted(item.nodeid for item in slow), -(-len(slow) // 3)))
    left_out = [item for item in slow if item.nodeid not in chosen]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_report_header() -> str:
    """Which slow tests ran can be had again."""
    return f"slow tests: FASTLSTM_SLOW={SLOW}"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def python() -> Run:
    """A fresh interpreter with a time limit: `python("-c", code)`, `python("-m", "fastlstm", "info")`."""

    def run(*arguments: str, timeout: float = 120, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload,no-any-return]

    return run
