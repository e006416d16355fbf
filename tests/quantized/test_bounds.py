"""No sum of the integer kernels can overflow: bounds, and what the reference makes of the worst case."""

import numpy as np

from fastlstm.quantized.numbers import rows_to_integers
from fastlstm.reference.narrow import _sums
from fastlstm.spec.narrow import BYTES, DEPTH, WORDS


def test_the_largest_sums_fit():
    assert WORDS.largest_sum < 2**31 <= DEPTH * (WORDS.weights + 1) * (WORDS.values + 1)
    assert BYTES.largest_sum < 2**31
    assert BYTES.largest_pair < 2**15
    assert 2 * (BYTES.weights + 1) * (2 * BYTES.values + 1) >= 2**15  # there is no room for one more


def test_the_reference_saturates_where_a_processor_would():
    """So that it would show it if the bounds were wrong."""
    values = np.full((1, 4), BYTES.values)
    fits, too_large = (np.full((1, 4), size) for size in (BYTES.weights, BYTES.weights + 1))
    assert _sums(values, fits, BYTES) == 4 * BYTES.values * BYTES.weights
    assert _sums(values, too_large, BYTES) != 4 * BYTES.values * (BYTES.weights + 1)


def test_rows_become_integers_of_their_own_scale():
    matrix = np.array([[0.5, -1.0, 0.25], [0, 0, 0], [1e-40, 0, 0], [3e38, -3e38, 0]], np.float32)
    integers, scales = rows_to_integers(matrix, BYTES)
    assert integers[0].tolist() == [32, -64, 16]
    assert not integers[1].any()
    assert integers[3].tolist() == [64, -64, 0]
    assert np.abs(integers).max() == 64
    assert np.isfinite(scales).all()
    assert rows_to_integers(matrix, WORDS)[0][0].tolist() == [1024, -2047, 512]
    assert DEPTH % 4 == 0
