"""torch.nn.LSTM, GRU and RNN as they are used: under inference_mode, with one backward call, in a whole model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from fastlstm.bench.libraries import Task, torch_cell
from fastlstm.bench.own_cell import is_own
from fastlstm.bench.workload import Model, Problem, Workload

Forward = Callable[[torch.nn.RNNBase, Tensor, Tensor], tuple[Tensor, Any]]
"""Output and final state of (module, x, reset)."""


def version() -> str:
    return torch.__version__


def refuses(workload: Workload) -> str | None:
    return "its quantize_dynamic has no RNN" if workload.weights and workload.cell == "RNN" else None


def build(problem: Problem, threads: int) -> Task:
    if is_own(problem.workload.cell):
        return torch_cell.task(problem, threads)
    return task(problem, threads, torch.nn, _step_by_step)


def task(problem: Problem, threads: int, classes: Any, with_resets: Forward) -> Task:
    """The workload on LSTM, GRU or RNN of `classes`, a module such as torch.nn."""
    torch.set_num_threads(threads)
    work = problem.workload
    if work.of_cells:
        return _loop(problem, getattr(classes, f"{work.cell}Cell")(work.I, work.H))
    module = getattr(classes, work.cell)(work.I, work.H, work.L, bidirectional=work.D == 2)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in problem.parameters.items()})
    if problem.model is not None:
        return _whole_model(problem.model, module)
    return _training(problem, module, with_resets) if work.training else _inference(problem, module)


def _inference(problem: Problem, module: torch.nn.RNNBase) -> Task:
    module.eval()
    if problem.workload.weights:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            wrapped = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(module), {type(module)}, torch.qint8)
        (module,) = wrapped
    x = torch.from_numpy(problem.x)
    states = tuple(torch.from_numpy(state) for state in problem.states)
    state: Any = states if len(states) == 2 else states[0]

    def call() -> Any:
        with torch.inference_mode():
            return module(x, state)

    return Task(call, lambda: _named(*call()))


def _training(problem: Problem, module: torch.nn.RNNBase, with_resets: Forward) -> Task:
    work = problem.workload
    x = torch.from_numpy(problem.x).requires_grad_()
    grad = torch.from_numpy(problem.grad)
    lengths = torch.from_numpy(problem.lengths)
    reset = torch.from_numpy(problem.reset)
    if work.mode == "packed":
        x = pack_padded_sequence(x.detach(), lengths).data.requires_grad_()
        sizes = torch.from_numpy(problem.batch_sizes)
        grad = pack_padded_sequence(grad, lengths).data

    def forward() -> tuple[Tensor, Any]:
        if work.mode == "packed":
            packed, final = module(PackedSequence(x, sizes))
            return packed.data, final
        if work.mode == "reset":
            return with_resets(module, x, reset)
        return module(x)

    def step() -> tuple[Tensor, Any]:
        module.zero_grad(set_to_none=True)
        x.grad = None
        output, final = forward()
        output.backward(grad)
        return output, final

    def results() -> dict[str, np.ndarray]:
        named = _named(*step())
        assert x.grad is not None
        named["grad_x"] = x.grad.numpy()
        return named | _gradients(module)

    return Task(step, results)


def _loop(problem: Problem, cell: torch.nn.RNNCellBase) -> Task:
    """A loop over time as people write it around a cell; with one backward call behind it in training."""
    cell.load_state_dict({name.removesuffix("_l0"): torch.from_numpy(p) for name, p in problem.parameters.items()})
    training = problem.workload.training
    x, grad = torch.from_numpy(problem.x).requires_grad_(training), torch.from_numpy(problem.grad)
    given = [torch.from_numpy(state[0]) for state in problem.states]
    initial: Any = None if training else given if len(given) == 2 else given[0]

    def forward() -> tuple[Tensor, Any]:
        state, output = initial, []
        for step in x:
            state = cell(step, state)
            output.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(output), state

    def infer() -> tuple[Tensor, Any]:
        with torch.inference_mode():
            return forward()

    def train() -> tuple[Tensor, Any]:
        cell.zero_grad(set_to_none=True)
        x.grad = None
        output, final = forward()
        output.backward(grad)
        return output, final

    def results() -> dict[str, np.ndarray]:
        named = _named(*(train() if training else infer()))
        named |= {name: value[None] for name, value in named.items() if name in ("h_n", "c_n")}
        if x.grad is not None:
            named["grad_x"] = x.grad.numpy()
        return named | {f"{name}_l0": value for name, value in _gradients(cell).items()}

    return Task(train if training else infer, results)


def _whole_model(given: Model, module: torch.nn.RNNBase) -> Task:
    """A step as training loops have it, from tokens to Adam."""
    embedding = torch.nn.Embedding.from_pretrained(torch.from_numpy(given.embedding), freeze=False)
    head = torch.nn.Linear(*given.weight.shape[::-1])
    head.load_state_dict({"weight": torch.from_numpy(given.weight), "bias": torch.from_numpy(given.bias)})
    parts = torch.nn.ModuleList([embedding, module, head])
    initial = {name: value.clone() for name, value in parts.state_dict().items()}
    optimiser = torch.optim.Adam(parts.parameters())
    tokens, targets = torch.from_numpy(given.tokens), torch.from_numpy(given.targets).view(-1)

    def step() -> Tensor:
        optimiser.zero_grad()
        output, _ = module(embedding(tokens))
        loss = cross_entropy(head(output).view(len(targets), -1), targets)
        loss.backward()
        optimiser.step()
        return loss

    def results() -> dict[str, np.ndarray]:
        parts.load_state_dict(initial)
        named = {"loss": step().detach().view(1).numpy()}
        assert embedding.weight.grad is not None
        return named | _gradients(module) | _gradients(head) | {"grad_embedding": embedding.weight.grad.numpy()}

    return Task(step, results)


def _step_by_step(module: torch.nn.RNNBase, x: Tensor, reset: Tensor) -> tuple[Tensor, Any]:
    """What must be done where the state is zeroed inside a sequence: a module call per time step."""
    zeros = x.new_zeros(module.num_layers, x.shape[1], module.hidden_size)
    keep = (~reset)[:, None, :, None].to(x.dtype)  # (T, 1, B, 1): what the state is multiplied with before each step
    is_pair = isinstance(module, torch.nn.LSTM)
    state: Any = (zeros, zeros) if is_pair else zeros
    outputs = []
    for t in range(len(x)):
        state = (keep[t] * state[0], keep[t] * state[1]) if is_pair else keep[t] * state
        output, state = module(x[t : t + 1], state)
        outputs.append(output)
    return torch.cat(outputs), state


def _named(output: Tensor, final: Any) -> dict[str, np.ndarray]:
    states = final if isinstance(final, tuple) else (final,)
    named = {"output": output, **dict(zip(("h_n", "c_n"), states, strict=False))}
    return {name: value.detach().numpy() for name, value in named.items()}


def _gradients(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {f"grad_{name}": p.grad.numpy() for name, p in module.named_parameters() if p.grad is not None}
