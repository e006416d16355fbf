"""The vector IR of functions that are as exact as a cell needs whose products are of rounded numbers."""

from __future__ import annotations

from collections.abc import Sequence

from fastlstm.kernels.vector import Emitter, Vector
from fastlstm.spec.narrow import TANH_ABOVE, TANH_BELOW, TANH_LIMIT


class Coarse(Emitter):
    """sigmoid and tanh by a third of the instructions, within 2e-5; all else as exact as `Emitter`'s. In float32."""

    def sigmoid(self, x: Vector) -> Vector:
        """1/2 + tanh(x/2) / 2, the halves within the polynomials."""
        x = self._clamp(x, -2 * TANH_LIMIT, 2 * TANH_LIMIT)
        above = [term / 2 ** (2 * n + 2) for n, term in enumerate(TANH_ABOVE)]
        below = [term / 2 ** (2 * n) for n, term in enumerate(TANH_BELOW)]
        return self._odd(x, above, below) + 0.5

    def tanh(self, x: Vector) -> Vector:
        """tanh(x) = x p(x*x) / q(x*x)."""
        return self._odd(self._clamp(x, -TANH_LIMIT, TANH_LIMIT), TANH_ABOVE, TANH_BELOW)

    def _odd(self, x: Vector, above: Sequence[float], below: Sequence[float]) -> Vector:
        square = x * x
        return x * self._at(above, square) / self._at(below, square)

    def _at(self, terms: Sequence[float], x: Vector) -> Vector:
        """A polynomial, the lowest power first."""
        total = self.splat(terms[-1])
        for term in reversed(terms[:-1]):
            total = self.fma(total, x, self.splat(term))
        return total
