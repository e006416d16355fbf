"""Whether a library computed the right thing. Nothing is timed before this has passed."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-3
"""Largest error allowed, of the array's largest value: float32 sums over a few hundred steps, but no wrong formula."""

NARROW = 0.5
"""The same where weights are rounded: the error is shown beside the time; here it is found what is no such layer."""


def errors(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> dict[str, float]:
    """For each array of `truth` the largest deviation, relative to the array's largest value.

    Infinite where an array is missing, has another shape or holds a NaN.
    """
    return {name: _error(found.get(name), expected) for name, expected in truth.items()}


def _error(found: np.ndarray | None, expected: np.ndarray) -> float:
    if found is None or found.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    deviation = float(np.abs(found - expected).max())
    scale = float(np.abs(expected).max()) or 1.0
    return deviation / scale if np.isfinite(deviation) else float("inf")


def verdict(found: dict[str, float], tolerance: float = TOLERANCE) -> str | None:
    """What is wrong, worst first, or None where every array is within the tolerance."""
    name = max(found, key=lambda key: found[key])
    return f"wrong {name}: error {found[name]:.1e} of its largest value" if found[name] > tolerance else None
