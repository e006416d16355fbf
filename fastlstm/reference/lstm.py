"""The LSTM cell, one step. Gates in torch's order i f g o; the projection of h is that of Sak et al. 2014.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)        input gate
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)        forget gate
    g =    tanh(W_ig x + b_ig + W_hg h + b_hg)        candidate
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)        output gate
    c' = f * c + i * g
    m  = o * tanh(c')
    h' = m, or W_hr m with a projection

Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. In `forward`, n sequences take the step
together: x (n, I), h (n, P), c (n, H).
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from .weights import Weights

States = tuple[ndarray, ...]
Kept = tuple[ndarray, ...]


def forward(x: ndarray, states: States, w: Weights) -> tuple[States, Kept]:
    """(h', c') after the step, and what `backward` needs."""
    h, c = states
    a_i, a_f, a_g, a_o = np.split(x @ w.ih.T + w.b_ih + h @ w.hh.T + w.b_hh, 4, axis=1)
    i, f, g, o = w.sigmoid(a_i), w.sigmoid(a_f), w.tanh(a_g), w.sigmoid(a_o)
    c_new = f * c + i * g
    m = o * w.tanh(c_new)
    h_new = m if w.hr is None else m @ w.hr.T
    return (h_new, c_new), (x, h, c, i, f, g, o, c_new)


def backward(d_states: States, kept: Kept, w: Weights, grad: Weights) -> tuple[ndarray, States]:
    """Gradients of x and of (h, c), given those of (h', c'); those of the weights are added to `grad`."""
    d_h_new, d_c_new = d_states
    x, h, c, i, f, g, o, c_new = kept
    tanh_c = np.tanh(c_new)
    if w.hr is None or grad.hr is None:
        d_m = d_h_new
    else:
        d_m = d_h_new @ w.hr
        grad.hr += d_h_new.T @ (o * tanh_c)
    d_c = d_c_new + d_m * o * (1 - tanh_c**2)  # c' reaches the loss by itself and through h'
    d_i, d_f, d_g, d_o = d_c * g, d_c * c, d_c * i, d_m * tanh_c
    d_a = np.concatenate([d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g**2), d_o * o * (1 - o)], axis=1)
    grad.ih += d_a.T @ x
    grad.hh += d_a.T @ h
    grad.b_ih += d_a.sum(axis=0)
    grad.b_hh += d_a.sum(axis=0)
    return d_a @ w.ih, (d_a @ w.hh, d_c * f)
