"""The plain RNN cell (Elman 1990), one step, with tanh or relu:

    h' = tanh(W_ih x + b_ih + W_hh h + b_hh)

In `forward`, n sequences take the step together: x (n, I), h (n, H).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from .weights import Weights

States = tuple[ndarray, ...]
Kept = tuple[ndarray, ...]


class RNNCell(NamedTuple):
    """The cell with one of its two nonlinearities."""

    nonlinearity: str

    def forward(self, x: ndarray, states: States, w: Weights) -> tuple[States, Kept]:
        """(h',) after the step, and what `backward` needs."""
        (h,) = states
        a = x @ w.ih.T + w.b_ih + h @ w.hh.T + w.b_hh
        h_new = np.maximum(a, 0) if self.nonlinearity == "relu" else w.tanh(a)
        return (h_new,), (x, h, h_new)

    def backward(self, d_states: States, kept: Kept, w: Weights, grad: Weights) -> tuple[ndarray, States]:
        """Gradients of x and of (h,), given that of (h',); those of the weights are added to `grad`."""
        (d_h_new,) = d_states
        x, h, h_new = kept
        d_a = np.where(h_new <= 0, 0, d_h_new) if self.nonlinearity == "relu" else d_h_new * (1 - h_new**2)
        grad.ih += d_a.T @ x
        grad.hh += d_a.T @ h
        grad.b_ih += d_a.sum(axis=0)
        grad.b_hh += d_a.sum(axis=0)
        return d_a @ w.ih, (d_a @ w.hh,)
