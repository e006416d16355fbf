"""This library's NumPy layers."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastlstm
from fastlstm.bench.libraries import Task
from fastlstm.bench.own_cell import find, is_own
from fastlstm.bench.workload import Problem, Workload


def version() -> str:
    return fastlstm.__version__


def refuses(workload: Workload) -> str | None:
    by_torch = {"model": "layers only", "cells-train": "no graph of a loop over cells"}.get(workload.mode)
    return by_torch and f"{by_torch}: --through torch is timed"


def build(problem: Problem, threads: int) -> Task:
    fastlstm.set_num_threads(threads)
    work = problem.workload
    if is_own(work.cell):
        return _own_cell(problem)
    if work.of_cells:
        return _loop(problem)
    layer = getattr(fastlstm, work.cell)(work.I, work.H, work.L, bidirectional=work.D == 2)
    layer.load_state_dict(problem.parameters)
    if not work.training:
        layer = fastlstm.quantize(layer, work.weights) if work.weights else layer.eval()
        state = problem.states if work.cell == "LSTM" else problem.states[0]
        return Task(lambda: layer(problem.x, state), lambda: _named(*layer(problem.x, state)))
    x: Any = problem.x
    grad: Any = problem.grad
    options = {"reset": problem.reset} if work.mode == "reset" else {}
    if work.mode == "packed":
        x = fastlstm.pack_padded_sequence(problem.x, problem.lengths)
        grad = fastlstm.pack_padded_sequence(problem.grad, problem.lengths)

    def step() -> tuple[Any, Any, Any]:
        layer.zero_grad()
        output, final = layer(x, **options)
        grad_x, _ = layer.backward(grad)
        return output, final, grad_x

    def results() -> dict[str, np.ndarray]:
        output, final, grad_x = step()
        packed = work.mode == "packed"
        named = _named(output.data if packed else output, final)
        named["grad_x"] = grad_x.data if packed else grad_x
        return named | {f"grad_{name}": value.copy() for name, value in layer.grad.items()}

    return Task(step, results)


def _own_cell(problem: Problem) -> Task:
    work = problem.workload
    layer = fastlstm.Recurrent(find(work.cell), work.I, work.H, work.L, bidirectional=work.D == 2, num_heads=work.N)
    layer.load_state_dict(problem.parameters)
    names, step = layer.config.state_names, problem.step or None
    if not work.training:
        layer.eval()

    def call() -> tuple[Any, ...]:
        output, final = layer(problem.x, step=step)
        if not work.training:
            return output, final, None
        layer.zero_grad()
        return output, final, layer.backward(problem.grad)[0]

    def results() -> dict[str, np.ndarray]:
        output, final, grad_x = call()
        final = final if isinstance(final, tuple) else (final,)
        named = {"output": output, **{f"{name}_n": value for name, value in zip(names, final, strict=True)}}
        if grad_x is None:
            return named
        return named | {"grad_x": grad_x} | {f"grad_{name}": value.copy() for name, value in layer.grad.items()}

    return Task(call, results)


def _loop(problem: Problem) -> Task:
    """A loop over time around a cell."""
    work = problem.workload
    cell = getattr(fastlstm, f"{work.cell}Cell")(work.I, work.H).eval()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in problem.parameters.items()})
    initial = tuple(state[0] for state in problem.states)

    def call() -> tuple[np.ndarray, Any]:
        state: Any = initial if len(initial) == 2 else initial[0]
        output = []
        for step in problem.x:
            state = cell(step, state)
            output.append(state[0] if isinstance(state, tuple) else state)
        return np.stack(output), state

    def results() -> dict[str, np.ndarray]:
        output, final = call()
        states = final if isinstance(final, tuple) else (final,)
        return {"output": output, **{name: s[None] for name, s in zip(("h_n", "c_n"), states, strict=False)}}

    return Task(call, results)


def _named(output: np.ndarray, final: Any) -> dict[str, np.ndarray]:
    states = final if isinstance(final, tuple) else (final,)
    return {"output": output, **dict(zip(("h_n", "c_n"), states, strict=False))}
