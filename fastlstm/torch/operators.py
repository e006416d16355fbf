"""What autograd and torch.compile see: an autograd.Function for eager calls, registered operators for compiled graphs.

A registered operator costs about 40 us per call in eager mode, an autograd.Function about 15: hence both, over the same
two functions of `runner`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import cache
from typing import Any, Protocol

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor

from fastlstm.cuda import CudaError
from fastlstm.spec import TRAINING, Call, Grads
from fastlstm.torch.composed import composed
from fastlstm.torch.runner import recent_runner
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


def spell(config: Layer) -> str:
    """A configuration as a string, which an operator's schema can carry."""
    return " ".join(str(value if not isinstance(value, bool) else int(value)) for value in astuple(config))


@cache
def read(text: str) -> Layer:
    """The inverse of `spell`."""
    kind, *numbers, nonlinearity = text.split()
    I, H, L, bias, batch_first, bidirectional, proj_size = map(int, numbers)
    return Layer(kind, I, H, L, bool(bias), bool(batch_first), bool(bidirectional), proj_size, nonlinearity)


@torch.library.custom_op("fastlstm::forward", mutates_args=())
def forward_operator(
    config: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    train: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output, h_n, c_n (empty but for an LSTM) and the handle of what was kept (empty unless `train`)."""
    runner = recent_runner(read(config), weights)
    if batch_sizes is not None:
        _check_packed(x, states, batch_sizes)
    output, final, handle = runner.forward(x, states, weights, Call(train, batch_sizes, reset, masks))
    cell = final[1] if len(final) == 2 else x.new_empty(0)
    return output, final[0], cell, x.new_empty(0, dtype=torch.float64) if handle is None else handle


def _check_packed(x: Tensor, states: Sequence[Tensor], batch_sizes: Tensor) -> None:
    """What could not be compared while the graph was made, because it lies in the numbers of `batch_sizes`."""
    B, rows = int(batch_sizes[0]), int(batch_sizes.sum())
    if len(x) != rows or any(state.shape[1] != B for state in states):
        found = f"{len(x)} rows and states of {[state.shape[1] for state in states]} sequences"
        raise ValueError(f"batch_sizes tell of {rows} rows and {B} sequences, found {found}")


@forward_operator.register_fake
def _(
    config: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    train: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    layer = read(config)
    # Packed calls are given their states.
    B = x.shape[0 if layer.batch_first else 1] if batch_sizes is None else states[0].shape[1]
    count = layer.num_layers * layer.directions
    cell = x.new_empty(count, B, layer.hidden_size) if "c" in layer.state_names else x.new_empty(0)
    output = x.new_empty(*x.shape[:-1], layer.directions * layer.output_size)
    return output, x.new_empty(count, B, layer.output_size), cell, x.new_empty(int(train), dtype=torch.float64)


@torch.library.custom_op("fastlstm::backward", mutates_args=())
def backward_operator(
    config: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    handle: Tensor,
    grad_output: Tensor | None,
    grad_hn: Tensor | None,
    grad_cn: Tensor | None,
    wants_x: bool,
) -> list[Tensor]:
    """The gradients of x, where wanted, of each state and of each weight."""
    layer = read(config)
    grads = Grads(grad_output, (grad_hn, grad_cn)[: len(layer.state_names)], wants_x=wants_x)
    grad_x, grad_states, grad_weights = recent_runner(layer, weights).backward(
        x, states, weights, Call(True, batch_sizes, reset, masks), handle, grads
    )
    return [*([] if grad_x is None else [grad_x]), *grad_states[: len(states)], *grad_weights]


@backward_operator.register_fake
def _(
    config: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    handle: Tensor,
    grad_output: Tensor | None,
    grad_hn: Tensor | None,
    grad_cn: Tensor | None,
    wants_x: bool,
) -> list[Tensor]:
    return [x.new_empty(tensor.shape) for tensor in (*([x] if wants_x else []), *states, *weights)]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    config, x, states, weights, batch_sizes, reset, masks, _ = inputs
    ctx.config, ctx.counts = config, (len(states), len(weights))
    ctx.save_for_backward(output[3], batch_sizes, reset, x, *states, *weights, *masks)
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, grad_output: Any, grad_hn: Any, grad_cn: Any, _: Any) -> tuple[Any, ...]:
    handle, batch_sizes, reset, x, *tensors = ctx.saved_tensors
    count, weights_count = ctx.counts
    end = count + weights_count
    states, weights, masks = tensors[:count], tensors[count:end], tensors[end:]
    wants_x = ctx.needs_input_grad[1]
    grads = backward_operator(
        ctx.config, x, states, weights, batch_sizes, reset, masks, handle, grad_output, grad_hn, grad_cn, wants_x
    )
    grad_x = grads.pop(0) if wants_x else None
    return None, grad_x, grads[:count], grads[count:], None, None, [None] * len(masks), None


forward_operator.register_autograd(_differentiate, setup_context=_setup)
