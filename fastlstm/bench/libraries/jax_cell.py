"""A user's cell in JAX: one `lax.scan` per layer and direction, the input products of all steps before it, jitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from fastlstm.bench.libraries import Task
from fastlstm.bench.workload import Problem
from fastlstm.reference.step import Step, step_of
from fastlstm.spec import Stack

_COMPARE: dict[str, Any] = {
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "eq": jnp.equal,
    "ne": jnp.not_equal,
}
_LOGIC: dict[str, Any] = {"and": jnp.logical_and, "or": jnp.logical_or, "not": jnp.logical_not}


class _Calculus:
    """What a step computes with: arrays (B, H) and Python's floats."""

    def __init__(self, heads: int) -> None:
        self._heads = heads
        self.sigmoid, self.tanh, self.relu = jax.nn.sigmoid, jnp.tanh, jax.nn.relu
        self.exp, self.log, self.sqrt, self.abs = jnp.exp, jnp.log, jnp.sqrt, jnp.abs
        self.sin, self.cos, self.pow, self.where = jnp.sin, jnp.cos, jnp.power, jnp.where
        self.softplus, self.log_sigmoid = jax.nn.softplus, jax.nn.log_sigmoid
        self.minimum, self.maximum, self.clip = jnp.minimum, jnp.maximum, jnp.clip

    def constant(self, value: float) -> float:
        return value

    def compare(self, op: str, a: Array, b: Array) -> Array:
        return _COMPARE[op](a, b)

    def logic(self, op: str, *args: Array) -> Array:
        return _LOGIC[op](*args)

    def custom(self, value: Array, slopes: Sequence[tuple[Any, Array]]) -> Array:
        """`value`, with these slopes for its arguments: what is added is zero."""
        still = lax.stop_gradient
        return still(value) + sum(still(slope) * (arg - still(arg)) for slope, arg in slopes)

    def mean(self, value: Array) -> Array:
        """Over the units of a sample, or of a head."""
        parts = value.reshape(len(value), self._heads, -1)
        return jnp.broadcast_to(parts.mean(axis=2, keepdims=True), parts.shape).reshape(value.shape)


def task(problem: Problem) -> Task:
    """The workload, on as many threads as this process may use."""
    work = problem.workload
    config: Any = work.layer
    weights = {name: jnp.asarray(value) for name, value in problem.parameters.items()}
    extra = {name: jnp.asarray(value) for name, value in problem.step.items()}
    x, grad = jnp.asarray(problem.x), jnp.asarray(problem.grad)

    @jax.jit
    def infer(weights: Any, x: Array, extra: Any) -> Any:
        return (*_forward(config, weights, x, extra), None, None)

    @jax.jit
    def train(weights: Any, x: Array, extra: Any, grad: Array) -> Any:
        output, pull, final = jax.vjp(lambda w, x: _forward(config, w, x, extra), weights, x, has_aux=True)
        return output, final, *pull(grad)

    def call() -> Any:
        found = train(weights, x, extra, grad) if work.training else infer(weights, x, extra)
        return jax.block_until_ready(found)

    def results() -> dict[str, np.ndarray]:
        output, final, grads, grad_x = call()
        named = {"output": output, **{f"{n}_n": v for n, v in zip(config.state_names, final, strict=True)}}
        if work.training:
            named |= {"grad_x": grad_x, **{f"grad_{name}": value for name, value in grads.items()}}
        return {name: np.asarray(value) for name, value in named.items()}

    return Task(call, results)


def _step(config: Stack, weights: Mapping[str, Array], suffix: str) -> Step:
    """A step of one layer and direction."""
    cell, N, H = config.cell, config.num_heads, config.hidden_size
    G = len(cell.gates)
    weight, bias = weights.get(f"weight_hh{suffix}"), weights.get(f"bias_hh{suffix}")

    def product(h: Array, gates: slice) -> Array:
        assert weight is not None
        B = len(h)
        if cell.recurrent == "dense":
            result = (h @ weight[gates.start * H : gates.stop * H].T).reshape(B, -1, H)
        elif cell.recurrent == "diagonal":
            result = weight.reshape(G, H)[gates] * h[:, None]
        else:
            blocks = weight.reshape(N, G, H // N, H // N)[:, gates]
            result = jnp.einsum("ngij,bnj->bgni", blocks, h.reshape(B, N, -1)).reshape(B, -1, H)
        return result if bias is None else result + bias.reshape(G, H)[gates]

    units = {name: jnp.broadcast_to(weights[f"{name}{suffix}"], (H,)) for name in cell.unit}
    return step_of(cell, _Calculus(N if cell.recurrent == "heads" else 1), product, units)


def _forward(
    config: Stack, weights: Mapping[str, Array], x: Array, extra: Mapping[str, Array]
) -> tuple[Array, tuple[Array, ...]]:
    cell, H = config.cell, config.hidden_size
    T, B, _ = x.shape
    finals = []
    for layer in range(config.num_layers):
        outputs = []
        for _, direction, suffix in config.parts_of(layer):
            step = _step(config, weights, suffix)
            inputs = x
            if cell.input == "dense":
                inputs = x @ weights[f"weight_ih{suffix}"].T + weights.get(f"bias_ih{suffix}", 0)
            same = {name: value for name, value in extra.items() if value.ndim == 2}

            def body(states: Any, at: Any, step: Step = step, same: Any = same) -> Any:
                gates, each = at
                new = step(gates, states, same | each)
                return tuple(jnp.broadcast_to(value, (B, H)) for value in new), new[0]

            each = {name: value for name, value in extra.items() if name not in same}
            initial = tuple(jnp.zeros((B, H), x.dtype) for _ in cell.states)
            final, output = lax.scan(body, initial, (inputs.reshape(T, B, -1, H), each), reverse=direction == 1)
            outputs.append(output)
            finals.append(final)
        x = jnp.concatenate(outputs, axis=-1)
    return x, tuple(jnp.stack(states) for states in zip(*finals, strict=True))
