"""JAX: the recurrence as one `lax.scan` per layer and direction, the input product of all steps before it, jitted."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from fastlstm.bench.libraries import Task, jax_cell
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Problem, Workload

Weights = dict[str, Array]
States = tuple[Array, ...]


def version() -> str:
    return str(jax.__version__)


_REFUSED = {"packed": "no packed batches", "model": "layers only"}


def refuses(workload: Workload) -> str | None:
    return "whole layers only" if workload.of_cells else _REFUSED.get(workload.mode)


def build(problem: Problem, threads: int) -> Task:
    if hasattr(os, "sched_setaffinity"):
        # XLA has one thread per CPU it may use and no option for their number
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    work = problem.workload
    if is_own(work.cell):
        return jax_cell.task(problem)
    weights = {name: jnp.asarray(value) for name, value in problem.parameters.items()}
    x = jnp.asarray(problem.x)
    initial = tuple(map(jnp.asarray, problem.states))
    if not work.training:
        infer = jax.jit(lambda weights, x, states: _forward(work, weights, x, states, None))

        def call() -> Any:
            return jax.block_until_ready(infer(weights, x, initial))

        return Task(call, lambda: _named(*call()))

    zeros = tuple(map(jnp.zeros_like, initial))
    keep = jnp.asarray(~problem.reset)[..., None] if work.mode == "reset" else None

    @jax.jit
    def train(weights: Weights, x: Array, grad: Array) -> Any:
        output, pull, final = jax.vjp(lambda w, x: _forward(work, w, x, zeros, keep), weights, x, has_aux=True)
        return output, final, *pull(grad)

    grad = jnp.asarray(problem.grad)

    def step() -> Any:
        return jax.block_until_ready(train(weights, x, grad))

    def results() -> dict[str, np.ndarray]:
        output, final, grads, grad_x = step()
        named = _named(output, final)
        return named | {"grad_x": np.asarray(grad_x)} | {f"grad_{key}": np.asarray(g) for key, g in grads.items()}

    return Task(step, results)


def _forward(work: Workload, w: Weights, x: Array, initial: States, keep: Array | None) -> tuple[Array, States]:
    finals = []
    for layer in range(work.L):
        outputs = []
        for _, direction, suffix in work.layer.parts_of(layer):
            bias = w[f"bias_ih{suffix}"]
            if work.cell != "GRU":  # a GRU's second bias stands inside the reset gate's product
                bias = bias + w[f"bias_hh{suffix}"]
            at = layer * work.D + direction
            output, final = _scan(
                CELLS[work.cell](w[f"weight_hh{suffix}"].T, w[f"bias_hh{suffix}"]),
                x @ w[f"weight_ih{suffix}"].T + bias,
                tuple(state[at] for state in initial),
                keep,
                reverse=direction == 1,
            )
            outputs.append(output)
            finals.append(final)
        x = jnp.concatenate(outputs, axis=-1)
    return x, tuple(jnp.stack(states) for states in zip(*finals, strict=True))


def _scan(step: Any, products: Array, initial: States, keep: Array | None, reverse: bool) -> tuple[Array, States]:
    def body(states: States, inputs: Any) -> tuple[States, Array]:
        product, kept = inputs
        if kept is not None:
            states = tuple(state * kept for state in states)
        new = step(product, *states)
        return new, new[0]

    final, output = lax.scan(body, initial, (products, keep), reverse=reverse)
    return output, final


def _lstm(weight: Array, bias: Array) -> Callable[..., States]:
    def step(product: Array, h: Array, c: Array) -> States:
        i, f, g, o = jnp.split(product + h @ weight, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    return step


def _gru(weight: Array, bias: Array) -> Callable[..., States]:
    def step(product: Array, h: Array) -> States:
        r, z, n = jnp.split(product, 3, axis=-1)
        r_h, z_h, n_h = jnp.split(h @ weight + bias, 3, axis=-1)
        r, z = jax.nn.sigmoid(r + r_h), jax.nn.sigmoid(z + z_h)
        n = jnp.tanh(n + r * n_h)
        return ((1 - z) * n + z * h,)

    return step


def _rnn(weight: Array, bias: Array) -> Callable[..., States]:
    return lambda product, h: (jnp.tanh(product + h @ weight),)


CELLS = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


def _named(output: Array, final: States) -> dict[str, np.ndarray]:
    named = {"output": output, **dict(zip(("h_n", "c_n"), final, strict=False))}
    return {name: np.asarray(value) for name, value in named.items()}
