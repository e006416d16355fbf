"""torch's OpenMP threads as members of the pool: a process for each case."""

from typing import Any

import pytest
import torch

PRELUDE = """
import os, torch
import fastlstm, fastlstm.torch
from fastlstm.engine.pool import POOL
from fastlstm.engine.threads.control import AVOID, AVOIDED, FORK, USED

torch.manual_seed(0)
torch.set_num_threads(2)
fastlstm.set_num_threads(2)
lstm = fastlstm.torch.LSTM(32, 128)
x = torch.randn(60, 16, 32)

def ask():
    with torch.no_grad():
        return lstm(x)[0]

truth = ask()
control = POOL.crew(2).control
assert control[FORK] and control[USED], "the team has done it"
"""

pytestmark = pytest.mark.skipif(not torch.backends.openmp.is_available(), reason="torch has no OpenMP")


def run(python: Any, body: str) -> None:
    done = python("-W", "ignore::DeprecationWarning", "-c", PRELUDE + body)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_team_gives_the_bits_of_our_own_workers(python: Any) -> None:
    run(
        python,
        """
control[AVOIDED] = 3
used = control[USED]
for _ in range(3):
    assert torch.equal(ask(), truth) and control[USED] == used, "it is left alone for so many calls"
assert torch.equal(ask(), truth) and control[USED] > used
""",
    )


def test_a_pool_that_arrays_have_used_before_gets_the_team(python: Any) -> None:
    code = """
import numpy as np
import fastlstm
from fastlstm.engine.pool import POOL
from fastlstm.engine.threads.control import FORK, USED
fastlstm.set_num_threads(2)
lstm, x = fastlstm.LSTM(32, 128).eval(), np.zeros((60, 16, 32), np.float32)
lstm(x)
control = POOL.crew(2).control
assert not control[FORK]
import fastlstm.torch
lstm(x)
assert POOL.crew(2).workers == 1
assert control[FORK] and control[USED]
"""
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_late_team_is_left_alone_for_twice_as_many_calls(python: Any) -> None:
    """Its threads all on one CPU, which others have: it comes to a region's end when it gets a turn."""
    run(
        python,
        """
import signal
ours = {int(name) for name in os.listdir("/proc/self/task")}
here = min(os.sched_getaffinity(0))
for thread in ours:
    os.sched_setaffinity(thread, {here})
parent, hogs = os.getpid(), []
for _ in range(3):
    hogs.append(os.fork())
    while hogs[-1] == 0 and os.getppid() == parent:
        pass
    if hogs[-1] == 0:
        os._exit(0)
try:
    for _ in range(2000):
        assert torch.equal(ask(), truth)
        if control[AVOID]:
            break
    assert control[AVOID] >= 32
finally:
    for hog in hogs:
        os.kill(hog, signal.SIGKILL)
""",
    )


def test_a_forked_child_has_no_team(python: Any) -> None:
    """GNU's OpenMP would wait in the child for the parent's threads, for ever; also for a crew that was in hand.

    So would torch's own operators there, hence NumPy compares.
    """
    run(
        python,
        """
child = os.fork()
if child == 0:
    assert not control[FORK]
    assert (ask().numpy() == truth.numpy()).all()
    assert not POOL.crew(2).control[FORK]
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert torch.equal(ask(), truth)
""",
    )
