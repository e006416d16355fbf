"""What a quantized layer computes, in plain NumPy: the exact integers of its kernels, step by step.

A matrix of rounded weights stands where the reference multiplies: `x @ w.ih.T` rounds the rows of x and multiplies
integers, as the instructions of a processor do it, saturation included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer
from numpy import ndarray

from ..spec.narrow import DEPTH, REST, SMALLEST, TANH_ABOVE, TANH_BELOW, TANH_LIMIT, Rounding, of_parameter, of_state
from .stack import Reference
from .weights import Weights


@dataclass
class Rounded:
    """A matrix of rows that are scales (rows,) times integers (rows, K)."""

    integers: ndarray
    scales: ndarray
    rounding: Rounding

    __array_ufunc__ = None  # NumPy leaves `@` to this class

    @property
    def T(self) -> Rounded:
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return self.integers.shape

    def __len__(self) -> int:
        return len(self.integers)

    def __rmatmul__(self, x: ndarray) -> ndarray:
        """x (n, K) times the transpose: (n, rows)."""
        total = np.zeros((len(x), len(self)), np.float32)
        for values, scales in rounded_rows(x, self.rounding):
            for first in range(0, x.shape[1], DEPTH):
                part = slice(first, first + DEPTH)
                sums = _sums(values[:, part], self.integers[:, part].astype(np.int64), self.rounding)
                assert np.abs(sums).max(initial=0) < 2**31
                total += sums.astype(np.float32) * (scales[:, None] * self.scales)
        return total


def rounded_rows(x: ndarray, rounding: Rounding) -> Iterator[tuple[ndarray, ndarray]]:
    """Integers within +-rounding.values, and the scale of each row, NaN where the row holds NaN or infinity.

    Where rows are rounded twice, the same of what is left too, with scales of zero for rows within +-1.
    """
    limit = np.float32(rounding.values)
    peak = np.abs(x).max(axis=1) + (x * np.float32(0)).sum(axis=1)
    with np.errstate(all="ignore"):
        inverse = np.where(peak > np.float32(SMALLEST), limit / peak, np.float32(0))
    exact = np.nan_to_num(x.astype(np.float64) * inverse[:, None].astype(np.float64))
    values = np.rint(exact)
    yield values.astype(np.int64), peak / limit
    if rounding.twice:
        beyond = (inverse > 0) & (inverse < limit)
        yield (
            np.rint((exact - values) * REST).astype(np.int64),
            np.where(beyond, peak / limit / np.float32(REST), np.float32(0)),
        )


def _sums(values: ndarray, weights: ndarray, rounding: Rounding) -> ndarray:
    """Sums of products; bytes as `pmaddubsw` does it: values unsigned, pairs of products saturating at 16 bits."""
    if not rounding.in_bytes:
        return values @ weights.T
    offset = rounding.values + 1
    if values.shape[1] % 2:
        values, weights = (np.pad(array, ((0, 0), (0, 1))) for array in (values, weights))
    products = (values + offset)[:, None] * weights
    pairs = np.clip(products[..., ::2] + products[..., 1::2], -(2**15), 2**15 - 1)
    return pairs.sum(axis=2) - offset * weights.sum(axis=1)


class NarrowReference(Reference):
    """LSTM, GRU and RNN with parameters of fewer bits: int8 with scales, or float16."""

    def __init__(self, config: Layer) -> None:
        super().__init__(config, np.dtype(np.float32))

    def _weights(self, parameters: Mapping[str, ndarray], suffix: str, input_size: int) -> Weights:
        def matrix(name: str) -> Any:
            value = parameters.get(f"{name}{suffix}")
            if value is None or value.dtype == np.float16:
                return None if value is None else value.astype(np.float32)
            rounding = of_state(self.config) if name == "weight_hh" else of_parameter(name)
            return Rounded(value, parameters[f"{name}{suffix}_scale"], rounding)

        ih = matrix("weight_ih")
        zeros = np.zeros(len(ih), np.float32)
        b_ih, b_hh = (parameters.get(f"bias_{name}{suffix}", zeros) for name in ("ih", "hh"))
        functions = (_sigmoid, _tanh) if isinstance(ih, Rounded) else ()
        return Weights(ih, matrix("weight_hh"), b_ih, b_hh, matrix("weight_hr"), *functions)


def _tanh(x: ndarray) -> ndarray:
    x = np.clip(x, -TANH_LIMIT, TANH_LIMIT)
    above, below = (np.polynomial.polynomial.polyval(x * x, terms) for terms in (TANH_ABOVE, TANH_BELOW))
    return (x * above / below).astype(x.dtype)


def _sigmoid(x: ndarray) -> ndarray:
    return (_tanh(x / 2) + 1) / 2
