"""Layers, directions and layouts around the walk over time: the class that kernels are tested against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from ..contract import Layer, sizes
from . import gru, lstm
from .rnn import RNNCell
from .sequence import Cell, States, Walk
from .weights import Weights


@dataclass
class Saved:
    """What one forward leaves for its backward.

    `steps` and `batch` are T and B of a dense batch, which decide its layout; a packed one has `steps` None.
    """

    steps: int | None
    batch: int
    count: int  # of rows
    masks: list[ndarray]  # as rows
    walks: list[list[Walk]]  # by layer and direction


class Reference:
    """A stack of recurrent layers of one configuration and dtype, with the interface of `fastlstm.engine.Engine`."""

    def __init__(self, config: Layer, dtype: np.dtype) -> None:
        self.config, self.dtype = config, np.dtype(dtype)
        cells: dict[str, Cell] = {"LSTM": lstm, "GRU": gru, "RNN": RNNCell(config.nonlinearity)}
        self.cell = cells[config.kind]

    def forward(
        self,
        parameters: Mapping[str, ndarray],
        version: int,
        x: ndarray,
        states: States | None,
        *,
        train: bool,
        batch_sizes: ndarray | None = None,
        reset: ndarray | None = None,
        masks: Sequence[ndarray] | None = None,
    ) -> tuple[ndarray, States, Saved | None]:
        """Output, final states, and what `backward` needs (None unless `train`).

        x: (T, B, I), or (B, T, I) with batch_first, or packed rows (N, I) where `batch_sizes` (T,) is given.
        states: tuple of (L*D, B, P) and, for an LSTM, (L*D, B, H); None for zeros.
        reset: (T, B) bool, no state passes between steps t - 1 and t where `reset[t, b]`, in either direction.
        masks: one array for each layer but the last, in the layout of the output, that multiplies its output.
        The output has the layout of x. `version` changes with the parameters; nothing is cached here, so it is unread.
        """
        T: int | None = None
        if batch_sizes is None:
            T, B = x.shape[1::-1] if self.config.batch_first else x.shape[:2]
            batch_sizes = np.full(T, B)
        else:
            B = int(batch_sizes[0])
        if states is None:
            states = tuple(np.zeros(sizes(shape), self.dtype) for shape in self.config.states(B).values())
        rows, final = self._rows(x, T), [state.copy() for state in states]
        saved = Saved(T, B, len(rows), [self._rows(mask, T) for mask in masks or ()], [])
        with np.errstate(all="ignore"):  # NaN and infinity flow through
            for layer in range(self.config.num_layers):
                outputs, walks = [], []
                for direction, suffix in self._directions(layer):
                    walk = Walk(self.cell, Weights.of(parameters, suffix), batch_sizes, reset, reverse=direction == 1)
                    at = layer * self.config.directions + direction
                    output, after = walk.forward(rows, tuple(state[at] for state in states))
                    for state, new in zip(final, after, strict=True):
                        state[at] = new
                    outputs.append(output)
                    walks.append(walk)
                rows = np.concatenate(outputs, axis=1)
                if layer < len(saved.masks):
                    rows = rows * saved.masks[layer]
                saved.walks.append(walks)
        return self._dense(rows, T, B), tuple(final), saved if train else None

    def backward(
        self,
        parameters: Mapping[str, ndarray],
        version: int,
        saved: Saved,
        grad_output: ndarray | None,
        grad_states: tuple[ndarray | None, ...],
    ) -> tuple[ndarray, States, dict[str, ndarray]]:
        """Gradients of x, of the initial states, and of the parameters by name, given those of output and final states.

        None stands for zeros. `saved` is good for one call. `parameters` are those of the forward.
        """
        T, B = saved.steps, saved.batch
        d_states = [
            np.zeros(sizes(shape), self.dtype) if given is None else given.copy()
            for given, shape in zip(grad_states, self.config.states(B).values(), strict=True)
        ]
        if grad_output is None:
            d_rows = np.zeros((saved.count, self.config.directions * self.config.output_size), self.dtype)
        else:
            d_rows = self._rows(grad_output, T)
        grads: dict[str, ndarray] = {}
        with np.errstate(all="ignore"):
            for layer in reversed(range(self.config.num_layers)):
                if layer < len(saved.masks):
                    d_rows = d_rows * saved.masks[layer]
                d_outputs = np.split(d_rows, self.config.directions, axis=1)
                d_inputs = []
                for direction, suffix in self._directions(layer):
                    at = layer * self.config.directions + direction
                    d_x, d_initial, grad = saved.walks[layer][direction].backward(
                        d_outputs[direction], tuple(state[at] for state in d_states)
                    )
                    for state, new in zip(d_states, d_initial, strict=True):
                        state[at] = new
                    d_inputs.append(d_x)
                    grads |= grad.named(suffix, bias=self.config.bias)
                d_rows = np.add.reduce(d_inputs)
        return self._dense(d_rows, T, B), tuple(d_states), {name: grads[name] for name in parameters}

    def _directions(self, layer: int) -> Iterator[tuple[int, str]]:
        """Number and name suffix of each direction."""
        for direction in range(self.config.directions):
            yield direction, f"l{layer}" + ("_reverse" if direction else "")

    def _rows(self, array: ndarray, T: int | None) -> ndarray:
        """A dense batch as rows, time slowest; packed rows (`T` None) as they are."""
        if T is None:
            return array
        by_time = array.swapaxes(0, 1) if self.config.batch_first else array
        return by_time.reshape(by_time.shape[0] * by_time.shape[1], array.shape[2])

    def _dense(self, rows: ndarray, T: int | None, B: int) -> ndarray:
        """The inverse of `_rows`."""
        if T is None:
            return rows
        by_time = rows.reshape(T, B, rows.shape[1])
        return np.ascontiguousarray(by_time.swapaxes(0, 1)) if self.config.batch_first else by_time
