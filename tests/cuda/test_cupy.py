"""CuPy's arrays and streams, in a process where there is no torch: with torch there, CuPy is never asked."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from fastlstm.cuda import why_not
from fastlstm.cuda.shim import SIMULATED

if SIMULATED or why_not() or find_spec("cupy") is None:
    pytest.skip("wants a GPU and CuPy", allow_module_level=True)

# The largest difference in units of the largest element: 7e-7 and 1e-15 on an H200.
PROGRAM = """
import sys
sys.modules["torch"] = None
import cupy, fastlstm, numpy as np
from fastlstm.cuda import streams
from fastlstm.reference import Reference
from fastlstm.spec import TRAINING, Grads

assert streams.partner() is cupy
KIND, DTYPE, TOLERANCE = sys.argv[1], sys.argv[2], float(sys.argv[3])
T, B, I, H = 33, 16, 17, 128
layer = getattr(fastlstm, KIND)(I, H, num_layers=2, bidirectional=True, seed=1, dtype=DTYPE, device="cuda")
draw = np.random.default_rng(0)
x, grad = (draw.standard_normal(shape).astype(DTYPE) for shape in ((T, B, I), (T, B, 2 * H)))
reference = Reference(layer.config, np.dtype(DTYPE))
parameters = layer.state_dict()
wanted, final, saved = reference.forward(parameters, 0, x, None, TRAINING)
wanted_grad, _, _ = reference.backward(parameters, 0, saved, Grads(grad))
for stream in (cupy.cuda.Stream.null, cupy.cuda.Stream(), cupy.cuda.Stream(non_blocking=True)):
    with stream:
        output, _ = layer(cupy.asarray(x) * 1)
        grad_x, _ = layer.backward(cupy.asarray(grad) * 1)
        found = cupy.asarray(output).get(), cupy.asarray(grad_x).get()
    for ours, theirs in zip(found, (wanted, wanted_grad), strict=True):
        error = abs(ours - theirs).max() / abs(theirs).max()
        assert error < TOLERANCE, (KIND, DTYPE, stream, error)
"""


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", "1e-5"), ("float64", "1e-13")])
def test_streams_of_cupy(python, kind, dtype, tolerance):
    ran = python("-c", PROGRAM, kind, dtype, tolerance)
    assert ran.returncode == 0, ran.stderr
