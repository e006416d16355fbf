"""Programs about the thread pool, a process for each."""

import textwrap

import children

PRELUDE = """
import os, signal, sys, threading, time
from pathlib import Path
import numpy as np
import fastlstm
from fastlstm.engine.pool import POOL

def layer():
    return fastlstm.LSTM(32, 128, seed=1).eval()

def ask(lstm, x):
    return lstm(x)[0]

x = np.random.default_rng(0).standard_normal((20, 16, 32)).astype(np.float32)
fastlstm.set_num_threads(2)
lstm = layer()
truth = ask(lstm, x)

def check(output):
    assert np.array_equal(output, truth)

def workers():
    # the native threads that the system knows as ours
    tasks = Path("/proc/self/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().strip() == "fastlstm"]

assert POOL.crew(2).workers == len(workers()) == 1
"""


def run(body: str, *, prelude: str = PRELUDE) -> str:
    """The output of a program that must end well, say nothing on stderr, and not hang."""
    done = children.python("-W", "ignore::DeprecationWarning", "-c", prelude + textwrap.dedent(body))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
