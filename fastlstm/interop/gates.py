"""Between torch's order of the gates in a stacked weight or bias, (G*H, ...), and another library's.

An order is given by the contract's names of the gates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from fastlstm.layers import split_gates, stack_gates


def from_order(kind: str, order: Sequence[str], value: ndarray) -> ndarray:
    """`value` in torch's order, where its gates are in `order`."""
    return stack_gates(kind, dict(zip(order, np.split(value, len(order)), strict=True)))


def to_order(kind: str, order: Sequence[str], value: ndarray) -> ndarray:
    """The inverse."""
    gates = split_gates(kind, value)
    return np.concatenate([gates[name] for name in order])
