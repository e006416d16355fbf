"""One layer stack of one dtype, forward and backward, on the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer, sizes

from fastlstm.cells import CELLS
from fastlstm.cuda import streams
from fastlstm.cuda.arrays import as_device, shaped
from fastlstm.cuda.backward import backward
from fastlstm.cuda.forward import enter, forward
from fastlstm.cuda.launch import run_steps
from fastlstm.cuda.machine import machine
from fastlstm.cuda.matrix import elementwise, fill, library, times
from fastlstm.cuda.pair import Pair, Product, choose_pair
from fastlstm.cuda.projected import backward_projected, forward_projected
from fastlstm.cuda.shim import CudaError, device_number, worded
from fastlstm.cuda.tile import Launch, choose
from fastlstm.cuda.tokens import Tokens
from fastlstm.cuda.weights import Weights
from fastlstm.spec import Call, Grads


@dataclass(frozen=True)
class Kept:
    """What one layer's forward leaves for its backward: its input rows (N, I), and arrays as in `forward.forward`; m
    (D, N, H): what was projected."""

    rows: Any
    z: Any
    u: Any
    hin: Any
    cin: Any
    m: Any


@dataclass
class Saved:
    """What a forward pass in training mode keeps for its backward pass, good for one.

    streams: those that wrote it, or may free it.
    """

    tokens: Tokens
    x_shape: tuple[int, ...]
    reset: Any
    masks: list[Any]
    layers: list[Kept]
    streams: set[int]


class Engine:
    """The kernels for one configuration and dtype (float32 or float64), with the interface of `fastlstm.engine.Engine`.

    Arrays are anything with `__cuda_array_interface__` or DLPack, used in place, or NumPy arrays, copied; results are
    Numba's device arrays, which have that interface. Work is queued on the current stream of torch or CuPy, whichever
    has the memory (`streams.py`), on the GPU that was current when the engine was made. Trusts shapes: layers check.
    CudaError where the GPU, its driver or its memory fail.
    """

    def __init__(self, config: Layer, dtype: Any, *, persistent: bool | None = None) -> None:
        """`persistent` forces one launch for a sequence (True) or one for each step (False)."""
        with worded():
            self._machine, self._library, self._gpu = machine(), library(), device_number()
        self.config, self.dtype, self._persistent = config, np.dtype(dtype), persistent
        self._name = config.mode
        self._cell = CELLS[self._name]
        self._read_last: tuple[Any, list[Weights]] = None, []
        # A training and a validation loop, and what packed batches bring.
        self._tokens = lru_cache(16)(self._new_tokens)

    def forward(
        self, parameters: Mapping[str, Any], version: Any, x: Any, states: tuple[Any, ...] | None, call: Call
    ) -> tuple[Any, ...]:
        """As `fastlstm.spec.Engine` says; `call.batch_sizes` is on the host. Step inputs and the states of every step
        are refused before; threads are the host's.
        """
        assert not call.step, "no cell on a GPU has step inputs"
        assert not call.all_states, "the kernels for GPUs keep no states of every step"
        with worded(), streams.meeting() as joined:
            output, final, saved = self._forward(parameters, version, x, states, call)
            if saved is not None:
                saved.streams = joined
            return output, final, saved

    def backward(self, parameters: Mapping[str, Any], version: Any, saved: Saved, grads: Grads) -> tuple[Any, ...]:
        """As `fastlstm.spec.Engine` says."""
        assert saved.layers, "backward consumes what forward saved"
        with worded(), streams.meeting(saved.streams):
            return self._backward(parameters, version, saved, grads)

    def launch(self, name: str, B: int) -> Launch:
        """How the kernel "forward" or "backward" is cut for a batch of B."""
        if self.config.projected:
            return self._pair(name, B).launch
        G, H = self._cell.GATES, self.config.hidden_size
        product = (G, H, H) if name == "forward" else (1, H, G * H)
        return choose(self._machine, *product, B, self.config.directions, self.dtype.itemsize, self._persistent)

    def _pair(self, name: str, B: int) -> Pair:
        """The same with a projection."""
        G, H, P = self._cell.GATES, self.config.hidden_size, self.config.output_size
        if name == "forward":
            products = Product(G, H, P), Product(1, P, H)
        else:
            products = Product(1, P, G * H), Product(1, H, P)
        return choose_pair(self._machine, *products, B, self.config.directions, self.dtype.itemsize, self._persistent)

    def _forward(
        self, parameters: Any, version: Any, x: Any, states: Any, call: Call
    ) -> tuple[Any, tuple[Any, ...], Saved | None]:
        cell, config, empty = self._cell, self.config, self._empty
        H, P, D, width = config.hidden_size, config.output_size, config.directions, len(self._cell_gates())
        x, train = self._device("x", x), call.train
        tokens = self._tokens(x.shape[:-1], None if call.batch_sizes is None else call.batch_sizes.tobytes())
        B, N = tokens.B, tokens.N
        h0, c0 = (self._device(f"{name}_0", state) for name, state in self._both(states)) if states else (None, None)
        hn = empty(config.num_layers * D, B, P)
        cn = empty(config.num_layers * D, B, H) if cell.CARRIES_CELL else hn
        mask_rows = [self._device("mask", mask).reshape(N, D * P) for mask in call.masks]
        reset = empty(0, 0, dtype=np.dtype(bool))
        if call.reset is not None:
            reset = as_device("reset", call.reset, np.bool_)
        saved = Saved(tokens, x.shape, reset, mask_rows, [], set())
        rows = x.reshape(N, config.input_size)
        for layer, weights in enumerate(self._read(parameters, version)):
            z = empty(D, N, width)
            for d in range(D):
                self._library.multiply(rows, weights.w_ih[d], z[d], tb=True)
            u = empty(D, N, width) if train and cell.SPLITS_GATES else z
            hin = empty(D, N if train else 2 * B, P)
            cin = empty(D, N if train else 2 * B, H) if cell.CARRIES_CELL else hin
            m = empty(D, N if train else B, H) if config.projected else None
            out = empty(N, D * P)
            place = (tokens.starts, tokens.counts, reset)
            if N:
                elementwise(
                    enter(self.dtype.name, train, cell.CARRIES_CELL), D * B,
                    hin, cin, hn if h0 is None else h0, cn if c0 is None else c0, h0 is not None,
                    *place, layer * D, B, D, tokens.apart,
                )  # fmt: skip
                launch = self.launch("forward", B)
                arrived = empty(launch.groups, dtype=np.dtype(np.int32))
                if config.projected:
                    pair = self._pair("forward", B)
                    kernel = forward_projected(self.dtype.name, train, launch.tile, pair.second, launch.persistent)
                    run_steps(kernel, launch, range(2 * tokens.T), (
                        z, weights.w_hh_turned, weights.b_x, weights.w_hr_turned, m, hin, cin, out, hn, cn, *place,
                        arrived, layer * D, B, H, P, D, tokens.apart, pair.behind,
                    ))  # fmt: skip
                else:
                    kernel = forward(self._name, self.dtype.name, train, launch.tile, launch.persistent)
                    run_steps(kernel, launch, range(tokens.T), (
                        z, u, weights.w_hh_turned, weights.b_x, weights.b_u, hin, cin, out, hn, cn, *place,
                        arrived, layer * D, B, H, D, tokens.apart,
                    ))  # fmt: skip
            saved.layers.append(Kept(rows, z, u, hin, cin, m))
            rows = out
            if layer < len(mask_rows):
                rows = empty(N, D * P)
                elementwise(times, N * D * P, out.reshape(N * D * P), mask_rows[layer].reshape(N * D * P),
                            rows.reshape(N * D * P))  # fmt: skip
        output = shaped(rows, *x.shape[:-1], D * P)
        return output, (hn, cn) if cell.CARRIES_CELL else (hn,), saved if train else None

    def _backward(
        self, parameters: Any, version: Any, saved: Saved, grads: Grads
    ) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        cell, config, empty = self._cell, self.config, self._empty
        tokens, H, P, D = saved.tokens, config.hidden_size, config.output_size, config.directions
        B, N, states = tokens.B, tokens.N, config.num_layers * D
        grad_hn, grad_cn = (
            self._zeros(states, B, H if name == "c" else P) if state is None else self._device(f"grad_{name}_n", state)
            for name, state in self._both(tuple(grads.states) or (None, None))
        )
        grad_h0 = empty(states, B, P)
        grad_c0 = empty(states, B, H) if cell.CARRIES_CELL else grad_h0
        above = empty(0, 0)
        if grads.output is not None:
            above = self._device("grad_output", grads.output).reshape(N, D * P)
        ones = empty(1, N)
        elementwise(fill, N, ones.reshape(N), self.dtype.type(1))
        gradients = {name: empty(*sizes(shape)) for name, shape in config.parameters().items()}
        layers = list(enumerate(self._read(parameters, version)))
        for layer, weights in reversed(layers):
            kept = saved.layers.pop()
            if layer < len(saved.masks):
                flat = above.reshape(N * D * P)
                elementwise(times, N * D * P, flat, saved.masks[layer].reshape(N * D * P), flat)
            dh = empty(D, N, P) if config.projected else None
            if N:
                launch = self.launch("backward", B)
                place = (tokens.starts, tokens.counts, saved.reset, empty(launch.groups, dtype=np.dtype(np.int32)))
                if config.projected:
                    pair = self._pair("backward", B)
                    kernel = backward_projected(self.dtype.name, launch.tile, pair.second, launch.persistent)
                    run_steps(kernel, launch, range(2 * tokens.T + 1, -1, -1), (
                        kept.z, weights.w_hh, weights.w_hr, dh, kept.cin, above, grad_hn, grad_cn, grad_h0, grad_c0,
                        *place, layer * D, B, H, P, D, tokens.apart, pair.behind,
                    ))  # fmt: skip
                else:
                    kernel = backward(self._name, self.dtype.name, launch.tile, launch.persistent)
                    run_steps(kernel, launch, range(tokens.T - 1, -2, -1), (
                        kept.z, kept.u, weights.w_hh, kept.hin, kept.cin, above, grad_hn, grad_cn, grad_h0, grad_c0,
                        *place, layer * D, B, H, D, tokens.apart,
                    ))  # fmt: skip
            above = empty(N, config.layer_input_size(layer))
            for _, d, suffix in config.parts_of(layer):
                if layer or grads.wants_x:
                    self._library.multiply(kept.z[d], weights.w_ih[d], above, add=d > 0)
                self._library.multiply(kept.z[d], kept.rows, gradients["weight_ih" + suffix], ta=True)
                self._library.multiply(kept.u[d], kept.hin[d], gradients["weight_hh" + suffix], ta=True)
                if dh is not None:
                    self._library.multiply(dh[d], kept.m[d], gradients["weight_hr" + suffix], ta=True)
                if config.bias:
                    for name, gates in (("bias_ih", kept.z), ("bias_hh", kept.u)):
                        total = gradients[name + suffix].reshape(1, len(self._cell_gates()))
                        self._library.multiply(ones, gates[d], total)
        grad_initial = (grad_h0, grad_c0) if cell.CARRIES_CELL else (grad_h0,)
        return shaped(above, *saved.x_shape) if grads.wants_x else None, grad_initial, gradients

    def _cell_gates(self) -> range:
        """The rows of the weights: all gates of all units."""
        return range(self._cell.GATES * self.config.hidden_size)

    def _both(self, states: tuple[Any, ...]) -> list[tuple[str, Any]]:
        """(name, state) of h and c; without c, h stands in for it and is not read."""
        return [("h", states[0]), ("c" if len(states) > 1 else "h", states[-1])]

    def _device(self, name: str, value: Any) -> Any:
        return as_device(name, value, self.dtype)

    def _empty(self, *shape: int, dtype: np.dtype | None = None) -> Any:
        return self._library.empty(shape, self.dtype if dtype is None else dtype)

    def _zeros(self, *shape: int) -> Any:
        zeros = self._empty(*shape)
        elementwise(fill, zeros.size, zeros.reshape(zeros.size), self.dtype.type(0))
        return zeros

    def _read(self, parameters: Mapping[str, Any], version: Any) -> list[Weights]:
        """The parameters on the device, read again when `version` has changed, or the stream: it must not be overtaken.

        CudaError on another GPU than the engine's.
        """
        where = streams.place()
        if where[0] != self._gpu:
            raise CudaError(f"the current GPU is {where[0]}, this engine was made on GPU {self._gpu}")
        held, weights = self._read_last
        if held != (version, where):
            weights = [
                Weights.of(parameters, self.config, layer, self.dtype, self._cell.SPLITS_GATES, self._library)
                for layer in range(self.config.num_layers)
            ]
            self._read_last = (version, where), weights  # at once: other threads may read
        return weights

    def _new_tokens(self, lead: tuple[int, ...], packed: bytes | None) -> Tokens:
        if packed is not None:
            return Tokens.packed(np.frombuffer(packed, np.int64))
        T, B = reversed(lead) if self.config.batch_first else lead
        return Tokens.dense(T, B, self.config.batch_first)
