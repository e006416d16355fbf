"""torch.nn.LSTM, GRU and RNN as they are used: under inference_mode, and with one backward call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from fastlstm.bench.libraries import Task
from fastlstm.bench.workload import Problem, Workload


def version() -> str:
    return torch.__version__


def refuses(workload: Workload) -> str | None:
    return None


def build(problem: Problem, threads: int) -> Task:
    torch.set_num_threads(threads)
    work = problem.workload
    module = getattr(torch.nn, work.cell)(work.I, work.H, work.L, bidirectional=work.D == 2)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in problem.parameters.items()})
    return _training(problem, module) if work.training else _inference(problem, module)


def _inference(problem: Problem, module: torch.nn.RNNBase) -> Task:
    module.eval()
    x = torch.from_numpy(problem.x)
    states = tuple(torch.from_numpy(state) for state in problem.states)
    state: Any = states if len(states) == 2 else states[0]

    def call() -> Any:
        with torch.inference_mode():
            return module(x, state)

    return Task(call, lambda: _named(*call()))


def _training(problem: Problem, module: torch.nn.RNNBase) -> Task:
    work = problem.workload
    x = torch.from_numpy(problem.x).requires_grad_()
    grad = torch.from_numpy(problem.grad)
    lengths = torch.from_numpy(problem.lengths)
    # (T, 1, B, 1): what the state is multiplied with before each step
    keep = torch.from_numpy(~problem.reset)[:, None, :, None].float()
    if work.mode == "packed":
        x = pack_padded_sequence(x.detach(), lengths).data.requires_grad_()
        sizes = torch.from_numpy(problem.batch_sizes)
        grad = pack_padded_sequence(grad, lengths).data

    def forward() -> tuple[torch.Tensor, Any]:
        if work.mode == "packed":
            packed, final = module(torch.nn.utils.rnn.PackedSequence(x, sizes))
            return packed.data, final
        if work.mode == "reset":
            return _step_by_step(module, x, keep)
        return module(x)

    def step() -> tuple[torch.Tensor, Any]:
        module.zero_grad(set_to_none=True)
        x.grad = None
        output, final = forward()
        output.backward(grad)
        return output, final

    def results() -> dict[str, np.ndarray]:
        named = _named(*step())
        assert x.grad is not None
        named["grad_x"] = x.grad.numpy()
        return named | {f"grad_{name}": p.grad.numpy() for name, p in module.named_parameters() if p.grad is not None}

    return Task(step, results)


def _step_by_step(module: torch.nn.RNNBase, x: torch.Tensor, keep: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """What must be done where the state is zeroed inside a sequence: a module call per time step."""
    zeros = x.new_zeros(module.num_layers, x.shape[1], module.hidden_size)
    is_pair = isinstance(module, torch.nn.LSTM)
    state: Any = (zeros, zeros) if is_pair else zeros
    outputs = []
    for t in range(len(x)):
        state = (keep[t] * state[0], keep[t] * state[1]) if is_pair else keep[t] * state
        output, state = module(x[t : t + 1], state)
        outputs.append(output)
    return torch.cat(outputs), state


def _named(output: torch.Tensor, final: Any) -> dict[str, np.ndarray]:
    states = final if isinstance(final, tuple) else (final,)
    named = {"output": output, **dict(zip(("h_n", "c_n"), states, strict=False))}
    return {name: value.detach().numpy() for name, value in named.items()}
