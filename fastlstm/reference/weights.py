"""The parameters of one layer and direction, and the functions that all cells share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy import ndarray


def sigmoid(a: ndarray) -> ndarray:
    """1 / (1 + exp(-a)), written with tanh because exp(-a) overflows where a is large and negative."""
    half = a.dtype.type(0.5)
    return half * np.tanh(half * a) + half


@dataclass
class Weights:
    """The parameters of one layer and direction, or their gradients.

    ih (G*H, I), hh (G*H, P), b_ih (G*H,), b_hh (G*H,), and hr (P, H) where h is projected, else None. A layer without
    bias has zeros in both. sigmoid, tanh: what the cell takes them for.
    """

    ih: ndarray
    hh: ndarray
    b_ih: ndarray
    b_hh: ndarray
    hr: ndarray | None = None
    sigmoid: Callable[[ndarray], ndarray] = sigmoid
    tanh: Callable[[ndarray], ndarray] = np.tanh

    @classmethod
    def of(cls, parameters: Mapping[str, ndarray], suffix: str) -> Weights:
        """The parameters whose names end in `suffix`, such as `_l0` or `_l1_reverse`."""
        ih, hh = parameters[f"weight_ih{suffix}"], parameters[f"weight_hh{suffix}"]
        no_bias = np.zeros(len(ih), ih.dtype)
        return cls(
            ih,
            hh,
            parameters.get(f"bias_ih{suffix}", no_bias),
            parameters.get(f"bias_hh{suffix}", no_bias),
            parameters.get(f"weight_hr{suffix}"),
        )

    @property
    def input_size(self) -> int:
        return self.ih.shape[1]

    def zeros(self) -> Weights:
        """Zeros of the same shapes, for gradients to be summed in."""
        hr = None if self.hr is None else np.zeros_like(self.hr)
        return Weights(
            np.zeros_like(self.ih), np.zeros_like(self.hh), np.zeros_like(self.b_ih), np.zeros_like(self.b_hh), hr
        )

    def named(self, suffix: str, *, bias: bool) -> dict[str, ndarray]:
        """The arrays by torch's names."""
        named = {f"weight_ih{suffix}": self.ih, f"weight_hh{suffix}": self.hh}
        if bias:
            named |= {f"bias_ih{suffix}": self.b_ih, f"bias_hh{suffix}": self.b_hh}
        if self.hr is not None:
            named[f"weight_hr{suffix}"] = self.hr
        return named
