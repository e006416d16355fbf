"""The modules run on the threads of torch's own OpenMP library: one pool at work, not two. A process for each case."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fastlstm.engine.pool import POOL
from fastlstm.torch import team

needs_team = pytest.mark.skipif(not isinstance(team.THREADS, team.Team), reason="torch has no OpenMP team here")

BEFORE = """
import os, sys, threading
import torch, fastlstm, fastlstm.torch
from fastlstm.engine.control import FORK, USED
from fastlstm.engine.plan import BRIEF_FLOPS
from fastlstm.engine.pool import POOL
from fastlstm.torch.team import THREADS

fastlstm.set_num_threads(2)
torch.set_num_threads(1)  # with two, and a team of one, torch 2.13's own LSTM is wrong
torch.manual_seed(0)
plain = torch.nn.LSTM(64, 96, 2)
ours = fastlstm.torch.LSTM(64, 96, 2)
ours.load_state_dict(plain.state_dict())
x = torch.randn(40, 16, 64)
assert 2 * 4 * 96 * (64 + 3 * 96) * 40 * 16 > BRIEF_FLOPS


def run(module, x=x):
    x = x.clone().requires_grad_()
    output, state = module(x)
    output.sin().sum().backward()
    return [output.detach(), *state, x.grad]


def check(found, due):
    for mine, other in zip(found, due, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


due = run(plain)
torch.set_num_threads(2)
"""


def in_process(python: Any, program: str, **environment: str) -> None:
    done = python("-c", BEFORE + program, env=environment)
    assert done.returncode == 0, done.stderr


@needs_team
def test_the_team_works_and_our_workers_are_not_even_started(python: Any) -> None:
    in_process(
        python,
        """
check(run(ours), due)
used = THREADS.control[USED]
assert used > 0
check(run(ours), due)
assert THREADS.control[USED] > used
assert POOL._workers == []
""",
    )


@needs_team
def test_fewer_threads_than_asked_for(python: Any) -> None:
    """A team of one, as in a region within a region: the caller does all."""
    in_process(
        python,
        """
for _ in range(3):
    check(run(ours), due)
assert THREADS.control[USED] > 0
""",
        OMP_THREAD_LIMIT="1",
    )


@needs_team
def test_a_forked_child_uses_our_own_pool(python: Any) -> None:
    """GNU's OpenMP library would wait there for threads of the parent."""
    in_process(
        python,
        """
check(run(ours), due)
child = os.fork()
if child == 0:
    try:
        with torch.no_grad():
            found = ours(x)[0]
            torch.set_num_threads(1)  # torch's own operators would wait, too
            check([found], due[:1])
            assert len(POOL._workers) == 1, POOL._workers
            os._exit(0)
    finally:
        os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
check(run(ours), due)
assert POOL._workers == []
""",
    )


@needs_team
def test_several_python_threads_at_once(python: Any) -> None:
    in_process(
        python,
        """
found = [None] * 6
def work(n):
    for _ in range(5):
        found[n] = run(ours)
threads = [threading.Thread(target=work, args=(n,)) for n in range(len(found))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for one in found:
    check(one, due)
""",
    )


@needs_team
def test_little_work_is_done_alone_until_calls_keep_coming(python: Any) -> None:
    in_process(
        python,
        """
import time
from fastlstm.engine.team import FEW_CALLS
step = x[:2]
with torch.no_grad():
    due = plain(step)[0]
    ours(x)
    time.sleep(0.1)
    used = THREADS.control[USED]
    for _ in range((FEW_CALLS - 1) // 2):  # two layers, each counts
        check([ours(step)[0]], [due])
        assert THREADS.control[USED] == used, "the team sleeps"
    for _ in range(2):
        check([ours(step)[0]], [due])
    assert THREADS.control[USED] > used, "calls keep coming"
""",
    )


def test_without_openmp_our_own_pool_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.openmp, "is_available", lambda: False)
    assert team._torch_team() is None
    assert isinstance(team.THREADS, team.Team) or team.THREADS is POOL
