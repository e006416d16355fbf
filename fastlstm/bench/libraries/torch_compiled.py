"""A user's cell in torch: the loop of `torch_cell`, its step compiled by torch.compile.

The step and not the loop, which torch.compile unrolls: a hundred steps take it minutes, forward alone.
"""

from __future__ import annotations

import torch

from fastlstm.bench.libraries import Task, torch_cell
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Problem, Workload


def version() -> str:
    return torch.__version__


def refuses(workload: Workload) -> str | None:
    return None if is_own(workload.cell) else "a user's cells only"


def build(problem: Problem, threads: int) -> Task:
    return torch_cell.task(problem, threads, torch.compile)
