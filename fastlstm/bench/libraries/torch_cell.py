"""A user's cell as people write it in torch: a loop over time, the input products of all steps before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastlstm.bench.libraries import Task
from fastlstm.bench.workload import Problem
from fastlstm.reference.step import Step
from fastlstm.spec import Stack
from fastlstm.torch.own_step import own_step

Prepared = Callable[[Step], Step]
"""What is done to a step before it is looped over: nothing, or torch.compile."""


def task(problem: Problem, threads: int, prepared: Prepared = lambda step: step) -> Task:
    """The workload as a loop over `prepared(step)`."""
    torch.set_num_threads(threads)
    work = problem.workload
    config: Any = work.layer
    training = work.training
    weights = {name: torch.tensor(value, requires_grad=training) for name, value in problem.parameters.items()}
    x = torch.tensor(problem.x, requires_grad=training)
    extra = {name: torch.tensor(value) for name, value in problem.step.items()}
    steps = [prepared(own_step(config, _of(weights, part.suffix))) for part in config.parts()]
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


def _of(weights: Mapping[str, Tensor], suffix: str) -> dict[str, Tensor]:
    """The weights of one layer and direction, by names without it."""
    return {name.removesuffix(suffix): value for name, value in weights.items() if name.endswith(suffix)}


def _forward(
    config: Stack, steps: Sequence[Step], weights: Mapping[str, Tensor], x: Tensor, extra: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    cell, H, D = config.cell, config.hidden_size, config.directions
    T, B, _ = x.shape
    finals = []
    for layer in range(config.num_layers):
        outputs = []
        for _, direction, suffix in config.parts_of(layer):
            inputs = x
            if cell.input == "dense":
                inputs = functional.linear(x, weights[f"weight_ih{suffix}"], weights.get(f"bias_ih{suffix}"))
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
