"""The GRU cell, one step. Gates in torch's order r z n.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)        reset gate
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)        update gate
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))     candidate
    h' = (1 - z) * n + z * h

Cho et al. 2014, in the variant of cuDNN and torch: the reset gate acts after the recurrent product, and so on its bias
too. That makes the n part of the two biases' gradients differ. In `forward`, n sequences take the step together:
x (n, I), h (n, H).
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from .weights import Weights

States = tuple[ndarray, ...]
Kept = tuple[ndarray, ...]


def forward(x: ndarray, states: States, w: Weights) -> tuple[States, Kept]:
    """(h',) after the step, and what `backward` needs."""
    (h,) = states
    x_r, x_z, x_n = np.split(x @ w.ih.T + w.b_ih, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ w.hh.T + w.b_hh, 3, axis=1)
    r, z = w.sigmoid(x_r + h_r), w.sigmoid(x_z + h_z)
    n = w.tanh(x_n + r * h_n)
    h_new = (1 - z) * n + z * h
    return (h_new,), (x, h, r, z, n, h_n)


def backward(d_states: States, kept: Kept, w: Weights, grad: Weights) -> tuple[ndarray, States]:
    """Gradients of x and of (h,), given that of (h',); those of the weights are added to `grad`."""
    (d_h_new,) = d_states
    x, h, r, z, n, h_n = kept
    d_n = d_h_new * (1 - z) * (1 - n**2)  # these three: gradients before the nonlinearity
    d_z = d_h_new * (h - n) * z * (1 - z)
    d_r = d_n * h_n * r * (1 - r)
    d_x_part = np.concatenate([d_r, d_z, d_n], axis=1)
    d_h_part = np.concatenate([d_r, d_z, d_n * r], axis=1)
    grad.ih += d_x_part.T @ x
    grad.hh += d_h_part.T @ h
    grad.b_ih += d_x_part.sum(axis=0)
    grad.b_hh += d_h_part.sum(axis=0)
    return d_x_part @ w.ih, (d_h_part @ w.hh + d_h_new * z,)
