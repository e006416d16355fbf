"""The reference in float64: what every library's results are compared with. Never timed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastlstm.bench.libraries import Task
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Model, Problem, Workload
from fastlstm.reference import Reference
from fastlstm.spec import TRAINING, Call, Grads


def version() -> str:
    return "float64"


def refuses(workload: Workload) -> str | None:
    return None


def build(problem: Problem, threads: int) -> Task:
    return Task(lambda: results(problem), lambda: results(problem))


def results(problem: Problem) -> dict[str, np.ndarray]:
    work = problem.workload
    reference = Reference(work.layer, np.dtype(np.float64))
    parameters = {name: value.astype(np.float64) for name, value in problem.parameters.items()}
    if problem.model is not None:
        return _model_results(problem.model, reference, parameters)
    x, grad = problem.x.astype(np.float64), problem.grad.astype(np.float64)
    packed, own = work.mode == "packed", is_own(work.cell)
    step: dict[str, Any] = {"step": {name: v.astype(np.float64) for name, v in problem.step.items()}} if own else {}
    output, states, saved = reference.forward(
        parameters,
        0,
        x[problem.rows] if packed else x,
        None if work.training or own else tuple(state.astype(np.float64) for state in problem.states),
        Call(
            work.training,
            batch_sizes=problem.batch_sizes if packed else None,
            reset=problem.reset if work.mode == "reset" else None,
            **step,
        ),
    )
    named = {"output": output, **{f"{name}_n": v for name, v in zip(work.layer.state_names, states, strict=True)}}
    if saved is None:
        return named
    grad_x, _, grads, *_ = reference.backward(
        parameters, 0, saved, Grads(grad[problem.rows] if packed else grad, (None,) * len(states))
    )
    return named | {"grad_x": grad_x} | {f"grad_{name}": value for name, value in grads.items()}


def _model_results(model: Model, reference: Reference, parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Loss and gradients of the whole model."""
    embedding, weight = model.embedding.astype(np.float64), model.weight.astype(np.float64)
    x = embedding[model.tokens]
    output, states, saved = reference.forward(parameters, 0, x, None, TRAINING)
    assert saved is not None
    features, targets = output.reshape(-1, output.shape[-1]), model.targets.reshape(-1)
    logits = features @ weight.T + model.bias
    at = np.arange(len(targets)), targets
    logits -= logits.max(axis=1, keepdims=True)
    sums = np.exp(logits).sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) - logits[at]).mean()
    grad = np.exp(logits) / sums
    grad[at] -= 1
    grad /= len(targets)
    grad_output = (grad @ weight).reshape(output.shape)
    grad_x, _, grads = reference.backward(parameters, 0, saved, Grads(grad_output, (None,) * len(states)))
    grad_embedding = np.zeros_like(embedding)
    np.add.at(grad_embedding, model.tokens, grad_x)
    named = {"embedding": grad_embedding, "weight": grad.T @ features, "bias": grad.sum(axis=0), **grads}
    return {"loss": loss[None], **{f"grad_{name}": value for name, value in named.items()}}
