"""What Python calls: a process that finds its code kept imports no Numba, and no LLVM where it loads objects without.
Wrong arguments are refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastlstm_lint.contract import Layer, sizes

from fastlstm.engine import Engine
from fastlstm.engine.code import entry, kernel
from fastlstm.kernels.cpu import system
from fastlstm.spec import INFERENCE

NUMPY = """
import sys
import numpy as np
import fastlstm
lstm = fastlstm.LSTM(3, 4)
output, _ = lstm(np.ones((5, 2, 3), np.float32))
lstm.backward(output)
fastlstm.set_num_threads(2)
lstm(np.ones((50, 40, 3), np.float32))
print(sorted({"numba", "llvmlite"} & sys.modules.keys()))
"""

TORCH = """
import sys
import torch
import fastlstm.torch
lstm = fastlstm.torch.LSTM(3, 4)
lstm(torch.ones(5, 2, 3))[0].sum().backward()
with torch.no_grad():
    lstm(torch.ones(1, 2, 3))
cell = fastlstm.torch.GRUCell(3, 4)
cell(torch.ones(2, 3)).sum().backward()
print(sorted({"numba", "llvmlite"} & sys.modules.keys()))
"""

OWN = """
import sys
import numpy as np
import fastlstm
layer = fastlstm.Recurrent(fastlstm.cells.JANET, 3, 4)
output, _ = layer(np.ones((5, 2, 3), np.float32))
layer.backward(output)
print(sorted({"numba", "llvmlite"} & sys.modules.keys()))
"""


@pytest.mark.parametrize("program", [NUMPY, TORCH, OWN], ids=["numpy", "torch", "a cell of one's own"])
def test_with_its_code_kept_a_process_does_without_a_compiler(python: Any, program: str) -> None:
    for _ in range(2):  # the first one may have to compile
        done = python("-W", "error", "-c", program)
        assert done.returncode == 0, done.stderr
    by_llvm = [] if system().startswith("x86_64-linux") else ["llvmlite"]
    assert done.stdout == f"{by_llvm}\n"


def test_wrong_arguments_are_refused_before_anything_is_done() -> None:
    call, array = entry("run_forward"), np.zeros((1, 1, 1))
    ints, arrays = [0] * 8, [array] * 6
    wrong: list[list[Any]] = [
        [],
        [*ints, *arrays, 0],
        [*ints, *arrays[1:]],
        ["0", *ints[1:], *arrays],
        [2**63, *ints[1:], *arrays],
        [0.5, *ints[1:], *arrays],
        [*ints, None, *arrays[1:]],
        [*ints, [0.0], *arrays[1:]],
        [*ints, *arrays[:-1], np.float32(1)],
    ]
    for arguments in wrong:
        with pytest.raises((TypeError, OverflowError)):
            call(*arguments)
    with pytest.raises(TypeError):
        call(*ints, *arrays, size=1)


def test_minus_one_a_bool_and_a_number_of_numpy_are_ints() -> None:
    hire = entry("hire")
    control = np.zeros(100, np.int64)
    for wanted in (0, -1, False, np.int64(-1), np.bool_(False).item()):
        assert hire(control.ctypes.data, wanted, kernel("work")) == 0


def test_what_stands_for_an_array_is_one() -> None:
    """A subclass of NumPy's, as memory-mapped files are: the address of its numbers is read where an array has it."""
    draw = np.random.default_rng(0)
    config = Layer("LSTM", 3, 4)
    engine = Engine(config, np.float32)
    parameters = {
        name: draw.standard_normal(sizes(axes)).astype(np.float32) for name, axes in config.parameters().items()
    }
    x, state = draw.standard_normal((5, 2, 3)).astype(np.float32), np.ones((1, 2, 4), np.float32)
    due, *_ = engine.forward(parameters, 1, x, (state, state), INFERENCE)
    own = type("Own", (np.ndarray,), {})
    found, *_ = engine.forward(parameters, 1, x.view(own), (state.view(own), state.view(own)), INFERENCE)
    np.testing.assert_array_equal(found, due)
