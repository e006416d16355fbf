"""One layer, one direction, over time: the walk that is the same for every cell.

Rows are packed as torch packs them: step 0 of every sequence, then step 1 of those that have one, ..., sequences
ordered by length, longest first. `batch_sizes[t]` says how many sequences have a step t. A dense batch is the case in
which all of them are B.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy import ndarray

from .weights import Weights

States = tuple[ndarray, ...]


class Cell(Protocol):
    """The equations of one step; `lstm.py`, `gru.py` and `rnn.py` have them."""

    def forward(self, x: ndarray, states: States, w: Weights) -> tuple[States, tuple[ndarray, ...]]: ...

    def backward(
        self, d_states: States, kept: tuple[ndarray, ...], w: Weights, grad: Weights
    ) -> tuple[ndarray, States]: ...


class Walk:
    """One pass of a cell over the rows of a packed batch; keeps what its `backward` needs."""

    def __init__(self, cell: Cell, w: Weights, batch_sizes: ndarray, reset: ndarray | None, *, reverse: bool) -> None:
        self.cell, self.w = cell, w
        self.steps = list(_steps(batch_sizes, reset, reverse))
        self.kept: list[tuple[ndarray, ...]] = []

    def forward(self, x: ndarray, states: States) -> tuple[ndarray, States]:
        """Output rows (N, P) and final states, given the input rows x (N, I) and initial states (B, P or H).

        A sequence that has ended, or (in reverse) not begun, keeps its state: the final state is the one at its own
        last step.
        """
        now = [state.copy() for state in states]
        output = np.empty((len(x), states[0].shape[1]), x.dtype)
        for rows, fresh in self.steps:
            n = len(fresh)
            before = tuple(np.where(fresh, 0, state[:n]) for state in now)
            after, kept = self.cell.forward(x[rows], before, self.w)
            for state, new in zip(now, after, strict=True):
                state[:n] = new
            output[rows] = after[0]
            self.kept.append(kept)
        return output, tuple(now)

    def backward(self, d_output: ndarray, d_states: States) -> tuple[ndarray, States, Weights]:
        """Gradients of the input rows, the initial states and the weights."""
        now = [state.copy() for state in d_states]
        grad = self.w.zeros()
        d_x = np.empty((len(d_output), self.w.ih.shape[1]), d_output.dtype)
        for (rows, fresh), kept in zip(reversed(self.steps), reversed(self.kept), strict=True):
            n = len(fresh)
            d_h, *d_others = (state[:n] for state in now)
            d_x[rows], d_before = self.cell.backward((d_h + d_output[rows], *d_others), kept, self.w, grad)
            for state, new in zip(now, d_before, strict=True):
                state[:n] = np.where(fresh, 0, new)
        return d_x, tuple(now), grad


def _steps(batch_sizes: ndarray, reset: ndarray | None, reverse: bool) -> Iterator[tuple[slice, ndarray]]:
    """For each step in the order taken: its rows, and which of its sequences start it from zero, (n, 1).

    `reset[t, b]` says that step t of sequence b begins something new: no state passes between steps t - 1 and t, in
    either direction. So the reverse direction looks at `reset[t + 1]` before it takes step t. What `reset` says past
    the end of a sequence has no meaning.
    """
    ends = np.cumsum(batch_sizes)
    steps = range(len(batch_sizes))
    for t in reversed(steps) if reverse else steps:
        n = int(batch_sizes[t])
        fresh = np.zeros((n, 1), bool)
        boundary = t + 1 if reverse else t
        if reset is not None and boundary in steps:
            alive = int(batch_sizes[boundary])
            fresh[:alive, 0] = reset[boundary, :alive][:n]
        yield slice(int(ends[t]) - n, int(ends[t])), fresh
