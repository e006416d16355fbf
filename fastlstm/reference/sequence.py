"""One layer, one direction, over time: the walk that is the same for every cell.

Rows are packed as torch packs them: step 0 of every sequence, then step 1 of those that have one, ..., sequences
ordered by length, longest first. `batch_sizes[t]` says how many sequences have a step t. A dense batch is the case in
which all of them are B.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy import ndarray

States = tuple[ndarray, ...]


class Cell(Protocol):
    """The equations of one step; `lstm.py`, `gru.py` and `rnn.py` have them, and `card.py` those of a user's cell.

    `extras` are a user's cell's step inputs, (n, H) or (n, 1) each; `backward` returns their gradients behind the two
    others'.
    """

    def forward(self, x: ndarray, states: States, w: Any, *extras: ndarray) -> tuple[States, Any]: ...

    def backward(self, d_states: States, kept: Any, w: Any, grad: Any) -> tuple[Any, ...]: ...


class Walk:
    """One pass of a cell over the rows of a packed batch; keeps what its `backward` needs."""

    def __init__(
        self,
        cell: Cell,
        w: Any,
        batch_sizes: ndarray,
        reset: ndarray | None,
        *,
        reverse: bool,
        extras: tuple[ndarray, ...] = (),
    ) -> None:
        self.cell, self.w, self.extras = cell, w, extras
        self.steps = list(_steps(batch_sizes, reset, reverse))
        self.kept: list[Any] = []

    def forward(self, x: ndarray, states: States) -> tuple[States, States]:
        """Rows (N, P or H) of every state after each step, of which the first is the output, and the final states,
        given the input rows x (N, I) and initial states (B, P or H).

        A sequence that has ended, or (in reverse) not begun, keeps its state: the final state is the one at its own
        last step.
        """
        now = [state.copy() for state in states]
        all_rows = tuple(np.empty((len(x), state.shape[1]), x.dtype) for state in states)
        for rows, fresh in self.steps:
            n = len(fresh)
            before = tuple(np.where(fresh, 0, state[:n]) for state in now)
            after, kept = self.cell.forward(x[rows], before, self.w, *(extra[rows] for extra in self.extras))
            for state, state_rows, new in zip(now, all_rows, after, strict=True):
                state[:n] = state_rows[rows] = new
            self.kept.append(kept)
        return all_rows, tuple(now)

    def backward(
        self, d_rows: tuple[ndarray | None, ...], d_states: States, d_extras: tuple[ndarray, ...] = ()
    ) -> tuple[ndarray, States, Any]:
        """Gradients of the input rows, the initial states and the weights; those of the extras are added to `d_extras`.

        `d_rows` are the gradients of the rows of the states, None for zeros.
        """
        now = [state.copy() for state in d_states]
        grad = self.w.zeros()
        d_x = np.empty((sum(len(fresh) for _, fresh in self.steps), self.w.input_size), now[0].dtype)
        for (rows, fresh), kept in zip(reversed(self.steps), reversed(self.kept), strict=True):
            n = len(fresh)
            d_after = tuple(
                state[:n] if d is None else state[:n] + d[rows] for state, d in zip(now, d_rows, strict=True)
            )
            d_x[rows], d_before, *d_here = self.cell.backward(d_after, kept, self.w, grad)
            for state, new in zip(now, d_before, strict=True):
                state[:n] = np.where(fresh, 0, new)
            for d_extra, new in zip(d_extras, d_here, strict=True):
                d_extra[rows] += new
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
