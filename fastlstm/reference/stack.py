"""Layers, directions and layouts around the walk over time: the class that kernels are tested against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer, sizes
from numpy import ndarray

from ..spec import Call, Grads, Stack
from . import gru, lstm
from .card import Card
from .rnn import RNNCell
from .sequence import States, Walk
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
    batch_sizes: ndarray
    walks: list[list[Walk]]  # by layer and direction
    step: Mapping[str, ndarray]  # as the caller gave them


class Reference:
    """A stack of recurrent layers of one configuration and dtype, with the interface of `fastlstm.engine.Engine`."""

    def __init__(self, config: Layer, dtype: np.dtype) -> None:
        self.config, self.dtype = config, np.dtype(dtype)
        self.card: Card | None = None
        if isinstance(config, Stack):
            self.cell: Any = Card(config.cell, config.hidden_size, config.num_heads)
            self.card = self.cell
        else:
            cells: dict[str, Any] = {"LSTM": lstm, "GRU": gru, "RNN": RNNCell(config.nonlinearity)}
            self.cell = cells[config.kind]

    def forward(
        self, parameters: Mapping[str, ndarray], version: int, x: ndarray, states: States | None, call: Call
    ) -> tuple[Any, ...]:
        """As `fastlstm.spec.Engine` says, in whose words also the rules of `call`.

        `version` changes with the parameters; nothing is cached here, so it is unread, as `call.threads` is: there is
        one.
        """
        batch_sizes, reset, step = call.batch_sizes, call.reset, call.step or {}
        T: int | None = None
        if batch_sizes is None:
            T, B = x.shape[1::-1] if self.config.batch_first else x.shape[:2]
            batch_sizes = np.full(T, B)
        else:
            B = int(batch_sizes[0])
        if states is None:
            states = tuple(np.zeros(sizes(shape), self.dtype) for shape in self.config.states(B).values())
        rows, final = self._rows(x, T), [state.copy() for state in states]
        saved = Saved(T, B, len(rows), [self._rows(mask, T) for mask in call.masks], batch_sizes, [], step)
        extras = tuple(self._step_rows(value, T, batch_sizes) for value in step.values())
        last: list[States] = []
        with np.errstate(all="ignore"):  # NaN and infinity flow through
            for layer in range(self.config.num_layers):
                last, walks = [], []
                for _, direction, suffix in self.config.parts_of(layer):
                    w = self._weights(parameters, suffix, rows.shape[1])
                    walk = Walk(self.cell, w, batch_sizes, reset, reverse=direction == 1, extras=extras)
                    at = layer * self.config.directions + direction
                    all_rows, after = walk.forward(rows, tuple(state[at] for state in states))
                    for state, new in zip(final, after, strict=True):
                        state[at] = new
                    last.append(all_rows)
                    walks.append(walk)
                rows = np.concatenate([all_rows[0] for all_rows in last], axis=1)
                if layer < len(saved.masks):
                    rows = rows * saved.masks[layer]
                saved.walks.append(walks)
        results = self._dense(rows, T, B), tuple(final), saved if call.train else None
        if not call.all_states:
            return results
        joined = [np.concatenate(parts, axis=1) for parts in zip(*last, strict=True)]
        return *results, tuple(self._dense(state, T, B) for state in joined)

    def backward(self, parameters: Mapping[str, ndarray], version: int, saved: Saved, given: Grads) -> tuple[Any, ...]:
        """As `fastlstm.spec.Engine` says; the gradient of x is made whether wanted or not. `parameters` are those of
        the forward.
        """
        T, B = saved.steps, saved.batch
        D, count = self.config.directions, len(self.config.state_names)
        d_extras = tuple(np.zeros((saved.count, value.shape[-1]), self.dtype) for value in saved.step.values())
        d_states = [
            np.zeros(sizes(shape), self.dtype) if grad is None else grad.copy()
            for grad, shape in zip(given.states or (None,) * count, self.config.states(B).values(), strict=True)
        ]
        if given.output is None:
            d_rows = np.zeros((saved.count, self.config.directions * self.config.output_size), self.dtype)
        else:
            d_rows = self._rows(given.output, T)
        grads: dict[str, ndarray] = {}
        d_all = [None if d is None else self._rows(d, T) for d in given.every or (None,) * count]
        if d_all[0] is not None:
            d_rows = d_rows + d_all[0]
        with np.errstate(all="ignore"):
            for layer in reversed(range(self.config.num_layers)):
                if layer < len(saved.masks):
                    d_rows = d_rows * saved.masks[layer]
                d_outputs = np.split(d_rows, D, axis=1)
                d_others = [None if d is None else np.split(d, D, axis=1) for d in d_all[1:]]
                d_all = [None] * len(d_all)
                d_inputs = []
                for _, direction, suffix in self.config.parts_of(layer):
                    at = layer * self.config.directions + direction
                    d_x, d_initial, grad = saved.walks[layer][direction].backward(
                        (d_outputs[direction], *(None if d is None else d[direction] for d in d_others)),
                        tuple(state[at] for state in d_states),
                        d_extras,
                    )
                    for state, new in zip(d_states, d_initial, strict=True):
                        state[at] = new
                    d_inputs.append(d_x)
                    grads |= grad.named(suffix, bias=self.config.bias)
                d_rows = np.add.reduce(d_inputs)
        results = self._dense(d_rows, T, B), tuple(d_states), {name: grads[name] for name in parameters}
        if not saved.step:
            return results
        return *results, {
            name: self._step_gradient(rows, value, saved)
            for (name, value), rows in zip(saved.step.items(), d_extras, strict=True)
        }

    def _weights(self, parameters: Mapping[str, ndarray], suffix: str, input_size: int) -> Any:
        if self.card is not None:
            return self.card.weights(parameters, suffix, input_size)
        return Weights.of(parameters, suffix)

    def _step_rows(self, value: ndarray, T: int | None, batch_sizes: ndarray) -> ndarray:
        """A step input as rows; one for all steps, (B, H), has two axes, and so have packed rows (N, H)."""
        if value.ndim == 3 or (T is None and len(value) == batch_sizes.sum()):
            return self._rows(value, T)
        return np.concatenate([value[:n] for n in batch_sizes])

    def _step_gradient(self, rows: ndarray, value: ndarray, saved: Saved) -> ndarray:
        """The gradient of a step input from that of its rows, in the shape of `value`."""
        if value.shape == rows.shape and saved.steps is None:
            return rows
        if value.ndim == 3:
            return self._dense(rows, saved.steps, saved.batch)
        total, start = np.zeros_like(value), 0
        for n in saved.batch_sizes:
            total[:n] += rows[start : start + n]
            start += n
        return total

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
