"""Products of rounded numbers: how weights and values become integers, and why no sum of theirs overflows.

A row of weights and a row of values are each divided by a scale of their own and rounded. Their product is summed up
in 32-bit integers over DEPTH columns, which is exact, and goes from there to floating point. Kernels and reference
compute by what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass

DEPTH = 512
"""Columns whose products are summed up in 32-bit integers."""

SMALLEST = 1e-30
"""A row of values whose largest is smaller is a row of zeros: its scale's inverse would be infinite."""


@dataclass(frozen=True)
class Rounding:
    """The largest integers that weights and values become, by absolute value.

    kernel: the name of the product. A machine that has no other way multiplies bytes two by two and adds both products
    in 16 bits, where the values are unsigned, `values` + 1 added to each (`pmaddubsw`).
    """

    kernel: str
    weights: int
    values: int
    in_bytes: bool

    @property
    def largest_sum(self) -> int:
        """Of DEPTH products: below 2**31 if the sum cannot overflow."""
        return DEPTH * self.weights * (2 * self.values + 1 if self.in_bytes else self.values)

    @property
    def largest_pair(self) -> int:
        """Of two products in bytes, values unsigned: below 2**15 if the sum cannot saturate."""
        return 2 * self.weights * (2 * self.values + 1)


WORDS = Rounding("multiply_words", 127, 32767, False)
"""For x and for what is projected: they may lie anywhere, and with 8 bits for both x would be the larger error."""

BYTES = Rounding("multiply_bytes", 64, 127, True)
"""For h, twice as fast. With one bit more the weights would saturate."""


def of_parameter(name: str) -> Rounding:
    """How the parameter of this name, without layer and direction, is rounded."""
    return BYTES if name == "weight_hh" else WORDS
