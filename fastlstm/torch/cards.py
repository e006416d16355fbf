"""The kernels of a user's cell and tensors: what they packed from, and what autograd sees of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fastlstm.layers.places import PLACES
from fastlstm.spec import INFERENCE, Call, Grads, Stack
from fastlstm.torch.memory import Snapshot
from fastlstm.torch.runner import DTYPES, of_arrays
from fastlstm.torch.serve import wants_gradient

Tensors = Sequence[Tensor]


def as_they_are(weights: Tensors) -> Tensors:
    """The parameters of the stack are the given ones."""
    return weights


class CardRunner:
    """The kernels for layers of one cell and dtype, and the parameters that they packed; bytes are compared, as
    `Runner.version` does.

    laid_out: makes the parameters of the stack, in its order, from the tensors that a call is given, where these lie
    otherwise; torch differentiates it. It is called when a byte of them has changed.
    """

    def __init__(self, config: Stack, dtype: torch.dtype, laid_out: Callable[[Tensors], Tensors] = as_they_are) -> None:
        self.config, self.dtype, self.laid_out = config, dtype, laid_out
        self.engine = PLACES["cpu"].engine(config, DTYPES[dtype])
        self.version = 0
        self.arrays: dict[str, np.ndarray] = {}
        self._snapshot: Snapshot | None = None
        self._pointers: list[int] = []

    def update(self, weights: Tensors) -> None:
        """Make `arrays` the parameters, and `version` another number where a byte of the weights has changed."""
        dense = [weight.detach().contiguous() for weight in weights]
        pointers = [weight.data_ptr() for weight in dense]
        if self._snapshot is None or pointers != self._pointers or not self._snapshot.same():
            names = self.config.parameters()
            with torch.no_grad():
                self.arrays = {name: array(tensor) for name, tensor in zip(names, self.laid_out(dense), strict=True)}
            self._pointers, self._snapshot = pointers, Snapshot(dense)
            self.version += 1

    def __call__(
        self, x: Tensor, states: Tensors, weights: Tensors, call: Call = INFERENCE
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Output, final states and, with call.all_states, the last layer's states after every step; gradients pass.

        Checked, as an engine takes them; states may be none. weights: as `laid_out` does. call.train is False.
        """
        steps = call.step or {}
        tensors = [x, *states, *steps.values(), *weights]
        train = wants_gradient(tensors)
        run = _Run(self, len(states), tuple(steps), of_arrays(call._replace(train=train, step=None)))
        if train:
            output, *others = _Function.apply(run, *tensors)
        else:
            output, others, _ = run.forward(tensors)
        count = len(self.config.state_names)
        return output, tuple(others[:count]), (output, *others[count:]) if call.all_states else ()


def array(tensor: Tensor) -> np.ndarray:
    """The memory of a tensor, C-contiguous, aligned and writable; a copy where it is not."""
    return np.require(tensor.detach().contiguous().numpy(), requirements=("C", "A", "W"))


@dataclass(slots=True)
class _Run:
    """What is not differentiated of one call. call: in arrays, without its step inputs."""

    runner: CardRunner
    states: int
    step_names: tuple[str, ...]
    call: Call

    def split(self, tensors: Sequence[Any]) -> tuple[Any, Sequence[Any], Sequence[Any], Sequence[Any]]:
        """x, states, step inputs, weights."""
        rest, end = tensors[1:], self.states + len(self.step_names)
        return tensors[0], rest[: self.states], rest[self.states : end], rest[end:]

    def forward(self, tensors: Tensors) -> tuple[Tensor, list[Tensor], Any]:
        """Output; final states and, with all_states, those after every step beside the output; what backward needs."""
        x, states, steps, weights = self.split(tensors)
        runner, call = self.runner, self.call
        runner.update(weights)
        if steps:
            call = call._replace(step=dict(zip(self.step_names, map(array, steps), strict=True)))
        given = tuple(map(array, states)) or None
        output, final, saved, *every = runner.engine.forward(runner.arrays, runner.version, array(x), given, call)
        others = every[0][1:] if every else ()
        return torch.from_numpy(output), list(map(torch.from_numpy, (*final, *others))), saved


class _Function(torch.autograd.Function):
    """(run, x, states, step inputs, weights) -> output, final states, with all_states those beside the output."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *tensors: Tensor) -> tuple[Tensor, ...]:
        output, others, ctx.saved = run.forward(tensors)
        ctx.run = run
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return output, *others

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor | None, *grads: Tensor | None) -> tuple[Any, ...]:
        run, tensors = ctx.run, ctx.saved_tensors
        if grad_output is None and all(grad is None for grad in grads):
            return None, *[None] * len(tensors)
        saved, ctx.saved = ctx.saved, None
        if saved is None:  # a second backward through a retained graph
            saved = run.forward(tensors)[2]
        arrays = [None if grad is None else array(grad) for grad in grads]
        runner, weights = run.runner, run.split(tensors)[3]
        count = len(runner.config.state_names)
        every = (None, *arrays[count:]) if run.call.all_states else ()
        runner.update(weights)
        d_output = None if grad_output is None else array(grad_output)
        wants_x = ctx.needs_input_grad[1]
        d_x, d_states, d_weights, *d_step = runner.engine.backward(
            runner.arrays, runner.version, saved, Grads(d_output, arrays[:count], every, wants_x)
        )
        first = [*d_states[: run.states], *(d_step[0].values() if d_step else ())]
        of_weights = _through(runner.laid_out, weights, list(map(torch.from_numpy, d_weights.values())))
        of_x = torch.from_numpy(d_x) if wants_x and d_x is not None else None
        return None, of_x, *map(torch.from_numpy, first), *of_weights


def _through(laid_out: Callable[[Tensors], Tensors], weights: Tensors, gradients: list[Tensor]) -> Tensors:
    """The gradients of the weights, from those of what is laid out from them."""
    if laid_out is as_they_are:
        return gradients
    with torch.enable_grad():
        own = [weight.detach().requires_grad_() for weight in weights]
        pairs = [(one, grad) for one, grad in zip(laid_out(own), gradients, strict=True) if one.requires_grad]
        return torch.autograd.grad([one for one, _ in pairs], own, [grad for _, grad in pairs])
