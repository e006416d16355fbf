"""What tests in more than one folder share."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import absent
import children
import pytest

SEED = "2026-11-25"
"""Of the tests marked slow one in three runs, drawn by this: the same ones on the same commit, whatever the day."""
SLOW = os.environ.get("FASTLSTM_SLOW") or SEED
"""FASTLSTM_SLOW=all runs all of them (make test-all), anything else is another seed."""


def runs(name: str, seed: str = SLOW) -> bool:
    """Whether a slow test is drawn: by its own name alone, whatever other tests there are."""
    return seed == "all" or hashlib.sha256(f"{seed} {name}".encode()).digest()[0] % 3 == 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out two thirds of the slow tests, but none that is asked for by its name."""
    asked = tuple(argument for argument in config.args if "::" in argument)
    left_out = [
        item
        for item in items
        if item.get_closest_marker("slow") and not runs(item.nodeid) and not item.nodeid.startswith(asked)
    ]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_report_header() -> list[str]:
    """Which slow tests ran can be had again, and what is left out is told."""
    missing = [f"left out is what wants {', '.join(sorted(absent.ABSENT))}"] if absent.ABSENT else []
    return [f"slow tests: FASTLSTM_SLOW={SLOW}", *missing]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files that want an optional library which is not here."""
    return True if absent.left_out(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Skip a test that imports such a library when it runs."""
    try:
        return (yield)
    except ModuleNotFoundError as error:
        if error.name in absent.ABSENT:
            pytest.skip(f"{error.name} is not installed")
        raise


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def python() -> Run:
    """A fresh interpreter: `python("-c", code)`, `python("-m", "fastlstm", "info")`; see tests/shared/children.py."""
    return children.python
