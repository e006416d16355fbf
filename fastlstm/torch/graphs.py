"""Operators for compiled graphs, registered with torch: to import this is to register them.

That takes 14 ms, so it is done when dynamo is loaded (`compiling`) and not before: no other graph holds them. What is
exported must run where this library is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from functools import cache
from typing import Any

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor

from fastlstm.spec import Call, Grads
from fastlstm.torch.runner import recent_runner


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
