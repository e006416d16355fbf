"""A few tries of each torture; `make torture` has thousands. The seeds are always the same."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


trials, run = _module("trials"), _module("run")

SAMPLE = {"guard": 2}
"""Tries of those that hold on every run; a torture that showed a fault comes in when its fault is mended."""


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect, /proc and fork as Linux has them")
@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, tries in SAMPLE.items() for seed in range(tries)])
def test_a_torture_is_survived(name: str, seed: int) -> None:
    assert run.attempt(trials.TRIALS[name], seed) == ""


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("near(ask(layer()), ask(layer()) + 1)", "AssertionError"),
        ("import ctypes; ctypes.string_at(0)", "exit code -11"),
        ("from guard import Guards; Guards(True).empty(3, 'u1').ctypes.data; "
         "import ctypes; ctypes.string_at(Guards(True).empty(3, 'u1').ctypes.data, 4)", "exit code -11"),
        ("from guard import Guards; "
         "import ctypes; ctypes.string_at(Guards(False).empty(3, 'u1').ctypes.data - 1, 1)", "exit code -11"),
        ("print('hm', file=sys.stderr)", "hm"),
    ],
    ids=["a wrong result", "a crash", "behind an array", "before an array", "a word on stderr"],
)  # fmt: skip
@pytest.mark.skipif(sys.platform != "linux", reason="mprotect, /proc and fork as Linux has them")
def test_a_torture_that_is_not_survived_is_seen(body: str, seen: str) -> None:
    assert seen in run.attempt(trials.Trial("planted", "", "", 1, body), 0)
