"""Products of plain matrices beside NumPy's in float64, and the same bits whoever computes them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from fastlstm.engine.pool import POOL
from fastlstm.engine.products import Product, Products

# Of one and of several blocks of rows, of depth and of panels, and beside their ends. (rows, depth, columns)
SIZES = [*product((1, 7, 97), (1, 513), (1, 16, 51)), (250, 1100, 33), (97, 204, 51)]
LIMITS = {"float32": 2e-5, "float64": 1e-13}


def multiplied(dtype: str, threads: int, rows: int, depth: int, columns: int, turned: bool, started: bool) -> Any:
    """Ours and what is due; in memory of exactly their sizes, but for a guard of NaN around ours."""
    draw = np.random.default_rng([rows, depth, columns])
    a = draw.standard_normal((depth, rows) if turned else (rows, depth)).astype(dtype)
    b = draw.standard_normal((depth, columns)).astype(dtype)
    start = draw.standard_normal((rows, columns)).astype(dtype)
    out = np.full((rows + 2, columns), np.nan, dtype)
    steps = (1, rows) if turned else (depth, 1)
    begun = (start.ctypes.data, columns) if started else (0, 0)
    wanted = Product(
        rows, depth, columns, a.ctypes.data, *steps, b.ctypes.data, columns, out[1:].ctypes.data, columns, *begun
    )
    Products(np.dtype(dtype), POOL).run([wanted], threads, False)
    assert np.isnan(out[[0, -1]]).all(), "written beside it"
    due = (a.T if turned else a).astype(np.float64) @ b.astype(np.float64) + (start if started else 0)
    return out[1:-1], due


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("dtype", LIMITS)
def test_values(dtype: str, turned: bool) -> None:
    for number, size in enumerate(SIZES):
        mine, due = multiplied(dtype, 1 + number % 3, *size, turned, number % 2 == 0)
        scale = max(1.0, np.abs(due).max())
        assert np.abs(mine - due).max() <= LIMITS[dtype] * scale, size


def test_several_at_once_and_again() -> None:
    """Of other sizes: what the first call packed and summed is not in the second's."""
    products = Products(np.dtype("float32"), POOL)
    draw = np.random.default_rng(1)
    for sizes in ([(33, 65, 20), (33, 65, 7)], [(5, 9, 3), (120, 4, 40)]):
        factors = [(draw.random((r, k), "float32"), draw.random((k, n), "float32")) for r, k, n in sizes]
        found = [np.empty((r, n), "float32") for r, _, n in sizes]
        products.run(
            [
                Product(r, k, n, a.ctypes.data, k, 1, b.ctypes.data, n, out.ctypes.data, n)
                for (r, k, n), (a, b), out in zip(sizes, factors, found, strict=True)
            ],
            2,
            True,
        )
        for (a, b), out in zip(factors, found, strict=True):
            np.testing.assert_allclose(out, a @ b, rtol=1e-4)


def test_the_same_bits_in_every_call() -> None:
    size = (97, 513, 51, True, False)
    first, _ = multiplied("float32", 2, *size)
    for _ in range(50):
        assert np.array_equal(multiplied("float32", 2, *size)[0], first)
