"""A user's cell as people write it in torch: a loop over time, the input products of all steps before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastlstm.bench.libraries import Task
from fastlstm.bench.own_cell import Step, step_of
from fastlstm.bench.workload import Problem
from fastlstm.spec import Stack

Prepared = Callable[[Step], Step]
"""What is done to a step before it is looped over: nothing, or torch.compile."""

_COMPARE: dict[str, Any] = {
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
}
_LOGIC: dict[str, Any] = {"and": torch.logical_and, "or": torch.logical_or, "not": torch.logical_not}


class _Calculus:
    """What a step computes with: tensors (B, H) and Python's floats."""

    def __init__(self, heads: int) -> None:
        self._heads = heads
        self.sigmoid, self.tanh, self.relu = torch.sigmoid, torch.tanh, torch.relu
        self.exp, self.log, self.sqrt, self.abs = torch.exp, torch.log, torch.sqrt, torch.abs
        self.sin, self.cos, self.pow, self.where = torch.sin, torch.cos, torch.pow, torch.where
        self.softplus, self.log_sigmoid = functional.softplus, functional.logsigmoid

    def constant(self, value: float) -> float:
        return value

    def minimum(self, a: Any, b: Any) -> Tensor:
        return torch.minimum(*_tensors(a, b))

    def maximum(self, a: Any, b: Any) -> Tensor:
        return torch.maximum(*_tensors(a, b))

    def clip(self, value: Tensor, low: Any, high: Any) -> Tensor:
        return torch.clamp(value, low, high)

    def compare(self, op: str, a: Tensor, b: Any) -> Tensor:
        return _COMPARE[op](*(_tensors(a, b) if not isinstance(a, Tensor) else (a, b)))

    def logic(self, op: str, *args: Tensor) -> Tensor:
        return _LOGIC[op](*args)

    def custom(self, value: Tensor, slopes: Sequence[tuple[Any, Tensor]]) -> Tensor:
        """`value`, with these slopes for its arguments: what is added is zero."""
        if not torch.is_grad_enabled():
            return value
        result = value.detach()
        for slope, arg in slopes:
            result = result + (slope.detach() if isinstance(slope, Tensor) else slope) * (arg - arg.detach())
        return result

    def mean(self, value: Tensor) -> Tensor:
        """Over the units of a sample, or of a head."""
        parts = value.unflatten(1, (self._heads, -1))
        means = parts.mean(dim=2, keepdim=True)
        return means[:, 0] if self._heads == 1 else means.expand_as(parts).flatten(1)


def _tensors(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    like = a if isinstance(a, Tensor) else b
    one, other = (v if isinstance(v, Tensor) else like.new_tensor(v) for v in (a, b))
    return one, other


def task(problem: Problem, threads: int, prepared: Prepared = lambda step: step) -> Task:
    """The workload as a loop over `prepared(step)`."""
    torch.set_num_threads(threads)
    work = problem.workload
    config: Any = work.layer
    training = work.training
    weights = {name: torch.tensor(value, requires_grad=training) for name, value in problem.parameters.items()}
    x = torch.tensor(problem.x, requires_grad=training)
    extra = {name: torch.tensor(value) for name, value in problem.step.items()}
    steps = [prepared(_step(config, weights, suffix)) for suffix in config.suffixes()]
    grad = torch.from_numpy(problem.grad)

    def call() -> Any:
        if not training:
            with torch.inference_mode():
                return _forward(config, steps, weights, x, extra)
        for tensor in (x, *weights.values()):
            tensor.grad = None
        output, final = _forward(config, steps, weights, x, extra)
        output.backward(grad)
        return output, final

    def results() -> dict[str, Any]:
        output, final = call()
        named = {"output": output, **{f"{n}_n": v for n, v in zip(config.state_names, final, strict=True)}}
        if training:
            named |= {"grad_x": x.grad}
            named |= {f"grad_{n}": torch.zeros_like(v) if v.grad is None else v.grad for n, v in weights.items()}
        return {name: value.detach().numpy() for name, value in named.items()}

    return Task(call, results)


def _step(config: Stack, weights: Mapping[str, Tensor], suffix: str) -> Step:
    """A step of one layer and direction."""
    cell, N, H = config.cell, config.num_heads, config.hidden_size
    G = len(cell.gates)
    weight, bias = weights.get(f"weight_hh_{suffix}"), weights.get(f"bias_hh_{suffix}")

    def product(h: Tensor, gates: slice) -> Tensor:
        assert weight is not None
        if cell.recurrent == "dense":
            rows = slice(gates.start * H, gates.stop * H)
            return functional.linear(h, weight[rows], None if bias is None else bias[rows]).unflatten(1, (-1, H))
        if cell.recurrent == "diagonal":
            result = weight.view(G, H)[gates] * h[:, None]
        else:
            blocks = weight.view(N, G, H // N, H // N)[:, gates].flatten(1, 2)
            result = torch.bmm(h.unflatten(1, (N, -1)).transpose(0, 1), blocks.transpose(1, 2))
            result = result.unflatten(2, (-1, H // N)).permute(1, 2, 0, 3).flatten(2)
        return result if bias is None else result + bias.view(G, H)[gates]

    units = {name: weights[f"{name}_{suffix}"] for name in cell.unit}
    return step_of(cell, _Calculus(N if cell.recurrent == "heads" else 1), product, units)


def _forward(
    config: Stack, steps: Sequence[Step], weights: Mapping[str, Tensor], x: Tensor, extra: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    cell, H, D = config.cell, config.hidden_size, config.directions
    T, B, _ = x.shape
    finals = []
    for layer in range(config.num_layers):
        outputs = []
        for direction in range(D):
            suffix = config.suffixes()[layer * D + direction]
            inputs = x
            if cell.input == "dense":
                inputs = functional.linear(x, weights[f"weight_ih_{suffix}"], weights.get(f"bias_ih_{suffix}"))
            gates = inputs.unflatten(2, (-1, H)).unbind(0)
            states: tuple[Tensor, ...] = tuple(x.new_zeros(B, H) for _ in cell.states)
            found: list[Tensor] = []
            each = {name: value.unbind(0) if value.ndim == 3 else (value,) * T for name, value in extra.items()}
            for t in reversed(range(T)) if direction else range(T):
                states = steps[layer * D + direction](gates[t], states, {n: value[t] for n, value in each.items()})
                found.append(states[0])
            outputs.append(torch.stack(found[::-1] if direction else found))
            finals.append(states)
        x = torch.cat(outputs, dim=2) if D > 1 else outputs[0]
    return x, tuple(torch.stack(states) for states in zip(*finals, strict=True))
