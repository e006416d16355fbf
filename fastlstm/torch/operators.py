"""What autograd sees of an eager call: one function.

A registered operator, as compiled graphs have it (`graphs`), costs about 40 us per call in eager mode, an
autograd.Function about 15: hence both, over the same two functions of `runner`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor

from fastlstm.cuda import CudaError
from fastlstm.spec import TRAINING, Call, Grads
from fastlstm.torch.composed import composed
from fastlstm.torch.serve import warn_once


class Served(Protocol):
    """`Runner` or `DeviceRunner`."""

    config: Layer

    def forward(
        self, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], call: Call
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
        """Output, final states, and in training the tensor by which `backward` finds what was kept."""

    def backward(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Sequence[Tensor],
        call: Call,
        handle: Tensor,
        grads: Grads,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """Gradients of x (None where not wanted), states and weights."""


class Recurrence(torch.autograd.Function):
    """(output, *final states) of (runner, call, count, x, *count states, *weights); with call.all_states behind them
    the states after every step, but for the output.
    """

    @staticmethod
    def forward(ctx: Any, runner: Served, call: Call, count: int, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        states, weights = tensors[:count], tensors[count:]
        output, final, handle = runner.forward(x, states, weights, call)
        ctx.runner, ctx.counts, ctx.all_states = runner, (count, len(weights)), call.all_states
        ctx.save_for_backward(handle, call.batch_sizes, call.reset, x, *tensors, *call.masks)
        ctx.set_materialize_grads(False)
        return output, *final

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *grad_final: Tensor | None) -> tuple[Any, ...]:
        nothing = (None,) * 3
        handle, batch_sizes, reset, x, *tensors = ctx.saved_tensors
        count, weights_count = ctx.counts
        end = count + weights_count
        states, weights, masks = tensors[:count], tensors[count:end], tensors[end:]
        wanted = ctx.needs_input_grad[3:]
        if grad_output is None and not [grad for grad in grad_final if grad is not None]:
            return (*nothing, *[None] * len(wanted))
        runner, given = ctx.runner, (grad_output, *grad_final)
        is_usual = batch_sizes is None and reset is None and not masks and not ctx.all_states
        call = TRAINING if is_usual else Call(True, batch_sizes, reset, masks, all_states=ctx.all_states)
        if by_torch(given):
            return (*nothing, *gradients(runner.config, (x, *tensors[:end]), count, call, given, wanted))
        every: Any = ()
        if call.all_states:
            number = len(runner.config.state_names)
            grad_final, every = grad_final[:number], (None, *grad_final[number:])
        grads = Grads(grad_output, grad_final, every, wanted[0])
        try:
            grad_x, grad_states, grad_weights = runner.backward(x, states, weights, call, handle, grads)
        except CudaError as error:
            warn_once(str(error))
            return (*nothing, *gradients(runner.config, (x, *tensors[:end]), count, call, given, wanted))
        found = (grad_x, *grad_states[:count], *grad_weights)
        return (*nothing, *[grad if is_wanted else None for grad, is_wanted in zip(found, wanted, strict=True)])


# Without what torch.autograd.Function.apply looks for in Python: whether a transform of torch.func is active, which who
# calls has asked.
apply = super(torch.autograd.Function, Recurrence).apply


def gradients(
    config: Layer,
    tensors: Sequence[Tensor],
    count: int,
    call: Call,
    given: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """Gradients by torch's operators, one step after the other, of those of (x, *states, *weights) that are wanted.

    count: of states. given: gradients of the output, of the final states and, with call.all_states, of those after
    every step but for the output.
    """

    def results(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        output, final, every = composed(config, x, others[:count], others[count:], call)
        return output, *final, *(every[1:] if call.all_states else ())

    return pulled(results, tensors, given, wanted)


def by_torch(given: Sequence[Tensor | None]) -> bool:
    """Whether torch's operators are to make the gradients, from those of the results.

    So that they can be differentiated themselves (create_graph=True), or where one tensor stands for the gradients of
    many backward passes at once (vmap, is_grads_batched=True), which has no memory that a kernel could read.
    """
    if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
        return True
    if torch.compiler.is_compiling():  # compiled autograd, which cannot trace the question and batches nothing
        return False
    return bool([grad for grad in given if grad is not None and is_legacy_batchedtensor(grad)])


def pulled(
    function: Callable[..., Sequence[Tensor]],
    tensors: Sequence[Tensor],
    given: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """From the gradients of a function's results, where given, those of its arguments that are wanted."""
    with torch.enable_grad():
        # Through the history of one argument another may be reached, as the weights are through the state before.
        own = [tensor.view_as(tensor) for tensor in tensors]
        results = function(*own)
    pairs = [(y, grad) for y, grad in zip(results, given, strict=True) if grad is not None]
    found = iter(
        torch.autograd.grad(
            [y for y, _ in pairs],
            [tensor for tensor, is_wanted in zip(own, wanted, strict=True) if is_wanted],
            [grad for _, grad in pairs],
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
    )
    return [next(found) if is_wanted else None for is_wanted in wanted]
