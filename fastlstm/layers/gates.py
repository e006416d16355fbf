"""Between one weight per gate, as a textbook has them, and torch's stacked ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from fastlstm_lint.contract import GATES
from numpy import ndarray

from .checks import one_of


def stack_gates(kind: str, gates: Mapping[str, ndarray]) -> ndarray:
    """One weight (G*H, ...) or bias (G*H,) of an "LSTM", "GRU" or "RNN" from those of its gates, each (H, ...) or (H,).

    Gates by the contract's names: i f g o, r z n, or h; the order of the mapping does not matter. A textbook that
    writes x @ W_xi has W (I, H): pass W_xi.T. ValueError for other names or unequal shapes.
    """
    order = GATES[one_of("kind", kind, tuple(GATES))]
    if set(gates) != set(order):
        raise ValueError(f"gates are {', '.join(gates)}, expected {', '.join(order)}")
    shapes = {name: np.shape(gates[name]) for name in order}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"gates have shapes {shapes}, expected one shape for all")
    return np.concatenate([gates[name] for name in order])


def split_gates(kind: str, weight: ndarray) -> dict[str, ndarray]:
    """The inverse of `stack_gates`: views (H, ...) of a weight or bias (G*H, ...), by gate name."""
    order = GATES[one_of("kind", kind, tuple(GATES))]
    if len(weight) % len(order):
        raise ValueError(f"weight has {len(weight)} rows, expected a multiple of the {len(order)} gates of {kind}")
    return dict(zip(order, np.split(weight, len(order)), strict=True))
