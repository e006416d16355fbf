"""LSTMCell, GRUCell and RNNCell: torch's classes with a forward of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor
from torch.autograd import _profiler_enabled
from torch.autograd.profiler import record_function

from fastlstm.torch import quick
from fastlstm.torch.compiling import is_symbolic, leaf
from fastlstm.torch.module import Accelerated, send_as_they_are, trace, traceable
from fastlstm.torch.serve import objection, surroundings, warn_once
from fastlstm.torch.step import advance
from fastlstm.torch.typed import PairStep, SingleStep


class _Cell(Accelerated, torch.nn.RNNCellBase):
    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """The states after one step. input: (B, I) or (I,). hx: (B, H), an LSTMCell's a pair of them."""
        tracing = torch.compiler.is_compiling()
        if not tracing and _profiler_enabled():
            with record_function(f"fastlstm::{self.original.__name__}"):
                return self._computed(input, hx, False)
        return self._computed(input, hx, tracing)

    def _computed(self, input: Tensor, hx: Any, tracing: bool) -> Any:
        if not tracing and (after := quick.cell(self, input, hx)) is not None:
            return after
        config = self._config()
        weights = self._present(("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if config.bias else 2])
        states = (
            () if hx is None else tuple(hx) if len(config.state_names) > 1 and isinstance(hx, tuple | list) else (hx,)
        )
        if not all(isinstance(one, Tensor) for one in (input, *states, *weights)):
            return leaf(self, input, hx=hx) if is_symbolic(input, hx) else super().forward(input, hx)
        tensors = (input, *states, *weights)
        if tracing:
            reason = None
            served = traceable(tensors)
        else:
            reason = surroundings() or objection(tensors)
            served = reason is None
        if not served or not self._fits(config, input, states, weights, hx is not None):
            result = super().forward(input, hx)
            if not tracing:
                self._decline(reason)
            if reason is not None and not input.is_cuda:  # an error of torch's comes without it
                warn_once(reason)
            return result
        unbatched = input.dim() == 1
        if tracing:
            x = input[None, None] if unbatched else input[None]
            states = tuple([state[None, None] if unbatched else state[None] for state in states])
            final = trace(config, x, states, weights)[1]
            after = tuple([state[0, 0] if unbatched else state[0] for state in final])
        else:
            if unbatched:
                input, states = input[None], tuple([state[None] for state in states])
            weights = [weight.contiguous() for weight in weights]
            pointers = [weight.data_ptr() for weight in weights]
            after = advance(self._runner(config, input.dtype), weights, pointers, input, states, lasting=False)
            if unbatched:
                after = tuple([state[0] for state in after])
        return after if len(after) == 2 else after[0]

    def _config(self) -> Layer:
        kind = self.original.__name__.removesuffix("Cell")
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        # torch takes any truth value as the bias of a cell
        return Layer(kind, self.input_size, self.hidden_size, bias=bool(self.bias), nonlinearity=nonlinearity)

    def _fits(self, config: Layer, x: Tensor, states: Any, weights: Any, given: bool) -> bool:
        """Every shape and dtype is right and there is something to compute."""
        rows, H = len(config.gates) * config.hidden_size, config.hidden_size
        shapes = [(rows, config.input_size), (rows, H), (rows,), (rows,)]
        return (
            config.nonlinearity in ("tanh", "relu")
            and x.dim() in (1, 2)
            and x.shape[-1] == config.input_size
            and x.numel() > 0
            and (not given or len(states) == len(config.state_names))
            and all(state.dtype is x.dtype and state.shape == (*x.shape[:-1], H) for state in states)
            and all(
                weight.dtype is x.dtype and weight.shape == shape
                for weight, shape in zip(weights, shapes, strict=False)
            )
        )


class LSTMCell(_Cell, torch.nn.LSTMCell):
    """torch.nn.LSTMCell, computed by this library's kernels on the CPU."""

    if TYPE_CHECKING:
        forward: PairStep
        __call__: PairStep

    original = torch.nn.LSTMCell
    blank = (1, 1, True, "meta")


class GRUCell(_Cell, torch.nn.GRUCell):
    """torch.nn.GRUCell, computed by this library's kernels on the CPU."""

    if TYPE_CHECKING:
        forward: SingleStep
        __call__: SingleStep

    original = torch.nn.GRUCell
    blank = (1, 1, True, "meta")


class RNNCell(_Cell, torch.nn.RNNCell):
    """torch.nn.RNNCell, computed by this library's kernels on the CPU."""

    if TYPE_CHECKING:
        forward: SingleStep
        __call__: SingleStep

    original = torch.nn.RNNCell
    blank = (1, 1, True, "tanh", "meta")


send_as_they_are(LSTMCell, GRUCell, RNNCell)
