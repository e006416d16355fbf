"""This library through its torch modules: the same calls as in the adapter of torch, resets by `reset=`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import fastlstm
import fastlstm.torch
from fastlstm.bench.libraries import Task, torch
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Problem, Workload


def version() -> str:
    return f"{fastlstm.__version__} through torch {torch.version()}"


def refuses(workload: Workload) -> str | None:
    return "a user's cell is timed on arrays" if is_own(workload.cell) else None


def build(problem: Problem, threads: int) -> Task:
    return torch.task(problem, threads, fastlstm.torch, _with_resets)


def _with_resets(module: Any, x: Tensor, reset: Tensor) -> tuple[Tensor, Any]:
    return module(x, reset=reset)
