"""Products of rounded numbers: how weights and values become integers, and why no sum of theirs overflows.

A row of weights and a row of values are each divided by a scale of their own and rounded. Their product is summed up
in 32-bit integers over DEPTH columns, which is exact, and goes from there to floating point. Beside these roundings
those of sigmoid and tanh need not be smaller: they are ratios of polynomials. Kernels and reference compute by what
stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastlstm_lint.contract import Layer

DEPTH = 512
"""Columns whose products are summed up in 32-bit integers."""

SMALLEST = 1e-30
"""A row of values whose largest is smaller is a row of zeros: its scale's inverse would be infinite."""


@dataclass(frozen=True)
class Rounding:
    """The largest integers that weights and values become, by absolute value.

    kernel: the name of the product, of words of 16 bits or of bytes. A machine that has no other way multiplies bytes
    two by two and adds both products in 16 bits, where the values are unsigned, `values` + 1 added to each
    (`pmaddubsw`). twice: of a row that reaches beyond 1, what rounding has left is rounded as well, to steps REST times
    as fine, and multiplied.
    """

    kernel: str
    weights: int
    values: int
    in_bytes: bool
    twice: bool = False

    @property
    def together(self) -> int:
        """Columns whose weights fill 32 bits."""
        return 4 if self.in_bytes else 2

    @property
    def largest_sum(self) -> int:
        """Of DEPTH products: below 2**31 if the sum cannot overflow."""
        return DEPTH * self.weights * (2 * self.values + 1 if self.in_bytes else self.values)

    @property
    def largest_pair(self) -> int:
        """Of two products in bytes, values unsigned: below 2**15 if the sum cannot saturate."""
        return 2 * self.weights * (2 * self.values + 1)


WORDS = Rounding("multiply_words", 2047, 2047, False)
"""For x and for what is projected: they may lie anywhere. With 8 bits for x, or for its weights, that alone would move
outputs by more than all that is rounded now. 12 bits each are the most whose sums fit."""

BYTES = Rounding("multiply_bytes", 64, 127, True)
"""For h, half as long for each product. With one bit more the weights would saturate."""

BYTES_TWICE = replace(BYTES, kernel="multiply_bytes_twice", twice=True)
"""For an h that lies within +-1 except where the caller gives another to begin with: an h of 3 makes the steps to which
all others of its row are rounded three times as wide. What a layer gives is rounded once."""

REST = 254
"""What is left of a value lies within half a step: times this, within the largest that a byte holds."""

TANH_LIMIT = 6.0
"""Where x is larger, tanh(x) is taken as what is computed of the limit, 1.9e-5 below 1."""

TANH_ABOVE = (0.999971156, 0.114472769, 0.00149555655)
TANH_BELOW = (1.0, 0.447714411, 0.0174874230, 5.51862221e-5)
"""tanh(x) = x p(x*x) / q(x*x) within 7e-6 up to the limit, the lowest power first: the least largest error, found by
Lawson's iteration on 2000 Chebyshev points. sigmoid(x) = 1/2 + tanh(x/2) / 2."""


def of_parameter(name: str) -> Rounding:
    """How the parameter of this name, without layer and direction, is rounded."""
    return BYTES if name == "weight_hh" else WORDS


def of_state(config: Layer) -> Rounding:
    """How a layer's h is rounded, which meets weight_hh."""
    within_1 = (
        type(config) is Layer and not config.projected and (config.kind != "RNN" or config.nonlinearity == "tanh")
    )
    return BYTES_TWICE if within_1 else BYTES
