"""The vector functions against NumPy in higher precision, over all of their range."""

import numpy as np
import pytest
from numba import njit, types
from numba.core.extending import intrinsic

from fastlstm.kernels.coarse import Coarse
from fastlstm.kernels.jit import at
from fastlstm.kernels.machine import host
from fastlstm.kernels.vector import Emitter
from fastlstm.reference import narrow


def applied(name, emitter=Emitter):
    """A compiled function that applies one function of the emitter to a whole array, a vector at a time."""

    @intrinsic
    def one(typing_context, pointer):
        def emit(context, builder, signature, args):
            math = emitter(builder, host(), str(signature.args[0].dtype))
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
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "softplus": lambda x: np.logaddexp(np.longdouble(0), x),
    "log_sigmoid": lambda x: -np.logaddexp(np.longdouble(0), -x),
    "sin": np.sin,
    "cos": np.cos,
}
# Measured: tanh 2.41 and 2.41, sigmoid 1.89 and 1.67 units in the last place, for float32 and float64.
ULPS = {"tanh": 3, "sigmoid": 3, "relu": 0, "exp": 2, "log": 2, "sqrt": 0.51, "abs": 0, "softplus": 3,
        "log_sigmoid": 3, "sin": 1, "cos": 1}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(TRUTH))
def test_errors_are_a_few_units_in_the_last_place(name, dtype):
    """Against long double, from the smallest normal numbers to where the result is constant."""
    limit = 85 if dtype == "float32" else 700
    smallest = np.finfo(dtype).tiny * 4
    size = np.geomspace(smallest, limit, 4000 * 16 - 8)
    x = np.concatenate([-size[::-1], np.zeros(16), size]).astype(dtype)
    if name in ("log", "sqrt"):  # of positive numbers, all of them
        info = np.finfo(dtype)
        x = np.concatenate([np.geomspace(info.tiny, info.max / 4, 4000 * 16), np.linspace(0.5, 2, 4000 * 16)]).astype(
            dtype
        )
    found = x.copy()
    applied(name)(found, host().lanes(np.dtype(dtype)))
    truth = TRUTH[name](x.astype(np.longdouble))
    ulp = np.spacing(np.abs(truth).astype(dtype)).astype(np.longdouble)
    assert (np.abs(found - truth) / ulp).max() <= ULPS[name]


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_coarse_functions_are_as_exact_as_is_said(name):
    """And those of the reference of rounded layers are the same."""
    x = np.concatenate([np.linspace(-15, 15, 4000 * 16 - 16), [np.inf, -np.inf, np.nan, 0.0] * 4]).astype(np.float32)
    found = x.copy()
    applied(name, Coarse)(found, host().lanes(np.dtype(np.float32)))
    with np.errstate(all="ignore"):
        truth = TRUTH[name](x.astype(np.float64))
        due = {"tanh": narrow._tanh, "sigmoid": narrow._sigmoid}[name](x)
    truth[np.isposinf(x)] = 1
    error = np.abs(found - truth)
    assert np.nanmax(error) < 2e-5
    assert error[np.abs(x) < 5.9].max() < 7e-6
    assert np.array_equal(np.isnan(found), np.isnan(x))
    np.testing.assert_allclose(found, due, atol=2e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_ends_of_the_line(dtype):
    """Infinity saturates, NaN stays NaN."""
    x = np.full(64, np.nan, dtype)
    x[0::4], x[1::4], x[2::4] = np.inf, -np.inf, 1e30
    expected = {
        "tanh": [1, -1, 1, np.nan],
        "sigmoid": [1, 0, 1, np.nan],
        "relu": [np.inf, 0, 1e30, np.nan],
        "exp": [np.inf, 0, np.inf, np.nan],
        "log": [np.inf, np.nan, np.log(1e30), np.nan],
        "sqrt": [np.inf, np.nan, 1e15, np.nan],
        "abs": [np.inf, np.inf, 1e30, np.nan],
        "softplus": [np.inf, 0, 1e30, np.nan],
        "log_sigmoid": [0, -np.inf, 0, np.nan],
    }
    for name, values in expected.items():
        found = x.copy()
        applied(name)(found, host().lanes(np.dtype(dtype)))
        np.testing.assert_allclose(found, np.tile(np.array(values, dtype), 16), rtol=1e-6, atol=1e-37, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_subnormal_numbers_in_and_out(dtype):
    """exp goes down to the smallest number there is, log takes it, and log of 0 is -infinity."""
    lowest = np.finfo(dtype).smallest_subnormal
    lanes = host().lanes(np.dtype(dtype))
    x = np.resize(np.array([lowest, lowest * 3, 0, -0.0], dtype), 64)
    found = x.copy()
    applied("log")(found, lanes)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found, np.log(x), rtol=1e-6)
    x = np.linspace(-104 if dtype == "float32" else -746, -86, 64).astype(dtype)
    found = x.copy()
    applied("exp")(found, lanes)
    with np.errstate(under="ignore"):
        np.testing.assert_allclose(found, np.exp(x), rtol=1e-5, atol=2 * lowest)
    assert (found > 0).sum() > 32
