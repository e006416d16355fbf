"""The suite itself: which tests run, and what ends a process that would not end."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import children
import pytest

MARKED = """
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("n", range(60))
def test_slow(n):
    pass

def test_quick():
    pass
"""
CONFTEST = Path(__file__).with_name("conftest.py")


def collected(folder: Path, *arguments: str, seed: str = "") -> set[str]:
    """The names of the tests that would run in a folder with this suite's conftest.py."""
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"))
    (folder / "pytest.ini").write_text(
        f"[pytest]\nmarkers = slow\naddopts = --import-mode=importlib\npythonpath = {CONFTEST.parent / 'shared'}\n"
    )
    (folder / "test_marked.py").write_text(MARKED)
    (folder / "test_other.py").write_text(MARKED)
    command = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *(arguments or ["test_marked.py"])]
    done = children.python(*command, cwd=folder, env={"FASTLSTM_SLOW": seed, "PATH": ""})
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_the_same_slow_tests_run_every_day_and_whatever_else_is_collected(tmp_path: Path) -> None:
    names = collected(tmp_path)
    assert "test_marked.py::test_quick" in names
    assert 10 <= len(names) - 1 <= 30, "about a third of 60"
    both = collected(tmp_path, "test_marked.py", "test_other.py")
    assert {name for name in both if name.startswith("test_marked")} == names
    other = collected(tmp_path, seed="another")
    assert other != names


def test_all_of_them_run_when_asked(tmp_path: Path) -> None:
    assert len(collected(tmp_path, seed="all")) == 61
    names = collected(tmp_path)
    left_out = next(name for n in range(60) if (name := f"test_marked.py::test_slow[{n}]") not in names)
    assert collected(tmp_path, left_out) == {left_out}, "by its name"


def test_the_seed_is_in_the_header(python) -> None:  # type: ignore[no-untyped-def]
    done = python("-m", "pytest", "--collect-only", "-p", "no:cacheprovider", __file__)
    assert "slow tests: FASTLSTM_SLOW=" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="processor time of another process is read from /proc")
def test_a_process_that_waits_for_ever_is_found_and_ended() -> None:
    with pytest.raises(children.StoodStill, match="waiting"):
        children.finished(
            [[sys.executable, "-uc", "print('waiting'); import threading; threading.Event().wait()"]], still=2
        )


@pytest.mark.skipif(sys.platform != "linux", reason="a limit is set from outside with prlimit")
def test_a_process_that_computes_for_ever_meets_its_limit() -> None:
    assert children.python("-c", "while True: pass", cpu=1).returncode == -24


@pytest.mark.skipif(sys.platform != "linux", reason="processor time of another process is read from /proc")
def test_what_a_child_of_a_process_computes_counts() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        while children.processor_time([process.pid]) < 1:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


WAITS = {"run", "check_output", "check_call", "communicate", "wait", "join", "python", "get", "result"}


def wall_limits(source: str) -> list[int]:
    """The lines of calls that give up after some time of the clock."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in WAITS
        and any(keyword.arg == "timeout" for keyword in call.keywords)
    ]


def test_no_test_has_a_limit_of_wall_time_of_its_own() -> None:
    """A machine four times slower passes too: how long one may wait is said in pyproject.toml and in children.py."""
    assert wall_limits("subprocess.run(command, timeout=5)") == [1]
    folder = CONFTEST.parent
    assert {path.name: found for path in folder.rglob("*.py") if (found := wall_limits(path.read_text("utf-8")))} == {}
