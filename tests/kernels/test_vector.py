"""The vector functions against NumPy in higher precision, over all of their range."""

import numpy as np
import pytest
from numba import njit, types
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import at
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter


def applied(name):
    """A compiled function that applies one function of the emitter to a whole array, a vector at a time."""

    @intrinsic
    def one(typing_context, pointer):
        def emit(context, builder, signature, args):
            math = Emitter(builder, host(), str(signature.args[0].dtype))
            math.store(getattr(math, name)(math.load(args[0])), args[0])
            return context.get_dummy_value()

        return types.void(pointer), emit

    @intrinsic
    def pointer_to(typing_context, array):
        def emit(context, builder, signature, args):
            return context.make_array(signature.args[0])(context, builder, args[0]).data

        return types.CPointer(array.dtype)(array), emit

    @njit
    def run(values, lanes):
        for n in range(0, values.size, lanes):
            one(at(pointer_to(values), n))

    return run


TRUTH = {
    "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
    "relu": lambda x: np.maximum(x, 0),
}
# Measured: tanh 2.41 and 2.41, sigmoid 1.89 and 1.67 units in the last place, for float32 and float64.
ULPS = {"tanh": 3, "sigmoid": 3, "relu": 0}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(TRUTH))
def test_errors_are_a_few_units_in_the_last_place(name, dtype):
    """Against long double, from the smallest normal numbers to where the result is constant."""
    limit = 85 if dtype == "float32" else 700
    smallest = np.finfo(dtype).tiny * 4
    size = np.geomspace(smallest, limit, 4000 * 16 - 8)
    x = np.concatenate([-size[::-1], np.zeros(16), size]).astype(dtype)
    found = x.copy()
    applied(name)(found, host().lanes(np.dtype(dtype)))
    truth = TRUTH[name](x.astype(np.longdouble))
    ulp = np.spacing(np.abs(truth).astype(dtype)).astype(np.longdouble)
    assert (np.abs(found - truth) / ulp).max() <= ULPS[name]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_ends_of_the_line(dtype):
    """Infinity saturates, NaN stays NaN."""
    x = np.full(64, np.nan, dtype)
    x[0::4], x[1::4], x[2::4] = np.inf, -np.inf, 1e30
    expected = {"tanh": [1, -1, 1, np.nan], "sigmoid": [1, 0, 1, np.nan], "relu": [np.inf, 0, 1e30, np.nan]}
    for name, values in expected.items():
        found = x.copy()
        applied(name)(found, host().lanes(np.dtype(dtype)))
        np.testing.assert_allclose(found, np.tile(np.array(values, dtype), 16), atol=1e-37, err_msg=name)
