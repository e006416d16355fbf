"""LSTM, GRU and RNN: torch's classes with a forward of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from fastlstm_lint.contract import Layer, sizes
from torch import Tensor
from torch.autograd import _profiler_enabled
from torch.autograd.profiler import record_function
from torch.nn.utils.rnn import PackedSequence

from fastlstm import errors
from fastlstm.spec import Call
from fastlstm.torch import gpu, quick
from fastlstm.torch.compiling import is_symbolic, leaf
from fastlstm.torch.composed import composed
from fastlstm.torch.module import NARROW, Accelerated, computed, send_as_they_are, trace, traceable
from fastlstm.torch.serve import objection, surroundings, warn_once
from fastlstm.torch.typed import PairCall, SingleCall

_BLANK = (1, 1, 1, True, False, 0.0, False, 0, "meta")
_KINDS = {"LSTM": "LSTM", "GRU": "GRU", "RNN_TANH": "RNN", "RNN_RELU": "RNN"}


class _Layer(Accelerated, torch.nn.RNNBase):
    """`forward` brings a call into the engine's form; what does not fit is left to torch, with its own errors."""

    def forward(self, input: Any, hx: Any = None, reset: Tensor | None = None, all_states: bool = False) -> Any:
        """Output and final states as torch.nn gives them; with `all_states` a third result.

        input: (T, B, I), (B, T, I) with batch_first, (T, I) or a PackedSequence. hx: (L*D, B, P), an LSTM's a pair with
        (L*D, B, H). reset: (T, B) bool, (T,) unbatched, never batch-first: where true, the state is zeroed before that
        step and no gradient passes. all_states: whether to give the last layer's states after every step, a tuple of
        h, which is the output, and for an LSTM c, laid out as the output; gradients pass.
        """
        tracing = torch.compiler.is_compiling()
        usual = not tracing and reset is None and all_states is False and NARROW not in self.__dict__
        if not tracing and _profiler_enabled():
            with record_function(f"fastlstm::{self.original.__name__}"):
                return (usual and quick.layer(self, input, hx)) or self._computed(input, hx, reset, False, all_states)
        return (usual and quick.layer(self, input, hx)) or self._computed(input, hx, reset, tracing, all_states)

    def _computed(self, input: Any, hx: Any, reset: Tensor | None, tracing: bool, all_states: bool) -> Any:
        if all_states is not False:
            if isinstance(all_states, Tensor) and torch.jit.is_tracing():  # the older ONNX exporter makes one of a bool
                all_states = bool(all_states)
            errors.flag("all_states", all_states)
            if all_states and self.mode != "LSTM" and not is_symbolic(input, hx):
                output, h_n = self._computed(input, hx, reset, tracing, False)
                return output, h_n, (output,)
        config, weights = self._config(), self._present(self.__dict__["_flat_weights_names"])
        packed = input if isinstance(input, PackedSequence) else None
        x = input if packed is None else packed.data
        states = (
            () if hx is None else tuple(hx) if len(config.state_names) > 1 and isinstance(hx, tuple | list) else (hx,)
        )
        if not (isinstance(x, Tensor) and all(isinstance(one, Tensor) for one in (*states, *weights))):
            return self._by_torch(None, input, hx, reset, all_states)
        tensors = (x, *states, *weights)
        on_gpu = not tracing and gpu.on_device(x)
        if tracing:
            served = traceable(tensors)
            reason = None
        else:
            reason = gpu.unfit(tensors) if on_gpu else surroundings() or objection(tensors)
            served = reason is None
        unbatched = packed is None and x.dim() == 2
        if reset is not None:
            self._check_reset(config, reset, x, packed)
            if unbatched:
                reset = reset[:, None]
            elif packed is not None and packed.sorted_indices is not None:
                reset = reset.index_select(1, packed.sorted_indices)
        elif not served and not all_states:
            return self._by_torch(reason, input, hx, reset)
        if unbatched:
            x = x.unsqueeze(0 if config.batch_first else 1)
            states = tuple([state.unsqueeze(1) for state in states if state.dim() == 2])
        elif packed is not None and packed.sorted_indices is not None:
            states = tuple([state.index_select(1, packed.sorted_indices) for state in states])
        batch_sizes = None if packed is None else packed.batch_sizes
        B = self._fits(config, x, states, weights, batch_sizes, hx is not None)
        if B is None:
            return self._by_torch(None, input, hx, reset, all_states)
        if packed is not None and tracing and not states:
            states = tuple([x.new_zeros(sizes(shape)) for shape in config.states(B).values()])
        if all_states and served:
            reason = "the kernels on a GPU do not give c after every step" if on_gpu else None
            served = reason is None and not tracing
        done = None
        if served and on_gpu:
            done = gpu.serve(self, config, x, states, weights, Call(False, batch_sizes, reset))
            if done is None and reset is None:
                return self._by_torch(None, input, hx, reset)
            served = False
        call = Call(False, batch_sizes, reset, () if done else self._masks(config, x), None, all_states)
        every: tuple[Tensor, ...] = ()
        if done:
            output, final = done
        elif tracing and served:
            output, final = trace(config, x, states, weights, call)
        elif served:
            output, final = self._by_kernels(config, x, states, weights, call)
            count = len(config.state_names)
            final, every = final[:count], (output, *final[count:])
        else:
            output, final, every = composed(config, x, states, weights, call)
            if reason is not None:
                self._decline(reason)
                warn_once(reason)

        def outer(value: Tensor) -> Any:
            if unbatched:
                return value.squeeze(0 if config.batch_first else 1)
            if packed is None:
                return value
            # Not by _replace, of which torch.compile makes an empty tuple.
            return PackedSequence(value, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)

        if unbatched:
            final = tuple([one.squeeze(1) for one in final])
        elif packed is not None and packed.unsorted_indices is not None:
            final = tuple([one.index_select(1, packed.unsorted_indices) for one in final])
        result = outer(output), final if len(final) == 2 else final[0]
        return (*result, (result[0], *map(outer, every[1:]))) if all_states else result

    def _by_kernels(
        self, config: Layer, x: Tensor, states: Any, weights: Any, call: Call
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A checked call: on rounded weights where they are asked for and the call is one for them."""
        narrow = self.__dict__.get(NARROW)
        if narrow is not None:
            found = narrow.serve(self.training, config, x, states, weights, call)
            if found is not None:
                return found
        return computed(self._runner(config, x.dtype), x, states, weights, call)

    def _by_torch(self, reason: str | None, input: Any, hx: Any, reset: Tensor | None, all_states: bool = False) -> Any:
        """torch's own forward: with a reason a warning, without one it raises its own error or has an empty batch."""
        if is_symbolic(input, hx):
            return leaf(self, input, hx=hx, reset=reset, all_states=all_states or None)
        if reset is None:
            result = super().forward(input, hx)
            if not torch.compiler.is_compiling():
                self._decline(reason)
            if reason is not None:  # an error of torch's comes without it
                warn_once(reason)
            if all_states:
                output, config = result[0], self._config()
                c = output.new_empty(*output.shape[:-1], config.directions * config.hidden_size)
                return (*result, (output, c))
            return result
        if isinstance(input, Tensor):
            errors.check_input(self._config(), tuple(input.shape), "input")
        self.original.forward(self, input, hx)  # raises what is wrong with the other arguments
        raise ValueError("reset: an empty batch has no state to reset")

    def _config(self) -> Layer:
        own = self.__dict__
        mode = own["mode"]
        return Layer(
            _KINDS[mode],
            own["input_size"],
            own["hidden_size"],
            own["num_layers"],
            own["bias"],
            own["batch_first"],
            own["bidirectional"],
            own["proj_size"],
            "relu" if mode == "RNN_RELU" else "tanh",
        )

    def _fits(
        self, config: Layer, x: Tensor, states: Any, weights: Any, batch_sizes: Tensor | None, given: bool
    ) -> int | None:
        """B, where every shape and dtype is right and there is something to compute; otherwise None."""
        dtype, width = x.dtype, config.input_size
        if batch_sizes is None:
            if x.dim() != 3 or x.shape[2] != width:
                return None
            B = x.shape[0 if config.batch_first else 1]
        else:
            if x.dim() != 2 or x.shape[1] != width:
                return None
            # What a tensor holds is not known while a graph is made; there the operator compares it with the states.
            known = torch.compiler.is_compiling() and states and states[0].dim() == 3
            B = states[0].shape[1] if known else int(batch_sizes[0])
        if not x.shape[0] or not x.shape[1] or (given and len(states) != len(config.state_names)):
            return None
        for name, state in zip(config.state_names, states, strict=False):
            if state.dtype is not dtype or state.shape != sizes(config.state(name, B)):
                return None
        for weight, shape in zip(weights, config.parameters().values(), strict=True):
            if weight.dtype is not dtype or weight.shape != sizes(shape):
                return None
        return B

    def _check_reset(self, config: Layer, reset: Any, x: Tensor, packed: PackedSequence | None) -> None:
        if not isinstance(reset, Tensor):
            errors.refuse_type("reset", reset, "torch.Tensor")
        if reset.dtype is not torch.bool:
            raise ValueError(f"reset is {reset.dtype}, expected torch.bool")
        if packed is None:
            errors.check_reset(tuple(reset.shape), *errors.check_input(config, tuple(x.shape), "input"))
        else:
            errors.check_reset(tuple(reset.shape), len(packed.batch_sizes), int(packed.batch_sizes[0]))

    def _masks(self, config: Layer, x: Tensor) -> tuple[Tensor, ...]:
        """Dropout between layers: one mask like the output of every layer but the last.

        Drawn as torch draws them, steps first: from the same seed both drop the same units.
        """
        if not (self.training and self.dropout and config.num_layers > 1):
            return ()
        turn = config.batch_first and x.dim() == 3
        before = x.shape[1::-1] if turn else x.shape[:-1]
        ones = x.new_ones(*before, config.directions * config.output_size)
        masks = [torch.nn.functional.dropout(ones, self.dropout) for _ in range(config.num_layers - 1)]
        return tuple([mask.transpose(0, 1).contiguous() for mask in masks] if turn else masks)


class LSTM(_Layer, torch.nn.LSTM):
    """torch.nn.LSTM, computed by this library's kernels on the CPU, and on a GPU where they are the faster."""

    if TYPE_CHECKING:
        forward: PairCall
        __call__: PairCall

    original = torch.nn.LSTM
    blank = _BLANK


class GRU(_Layer, torch.nn.GRU):
    """torch.nn.GRU, computed by this library's kernels on the CPU, and on a GPU where they are the faster."""

    if TYPE_CHECKING:
        forward: SingleCall
        __call__: SingleCall

    original = torch.nn.GRU
    blank = _BLANK


class RNN(_Layer, torch.nn.RNN):
    """torch.nn.RNN, computed by this library's kernels on the CPU, and on a GPU where they are the faster."""

    if TYPE_CHECKING:
        forward: SingleCall
        __call__: SingleCall

    original = torch.nn.RNN
    blank = (*_BLANK[:3], "tanh", *_BLANK[3:])


send_as_they_are(LSTM, GRU, RNN)
