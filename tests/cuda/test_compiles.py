"""The sequence kernels through the real compiler, NVVM, which needs no GPU: `pip install -e '.[dev-cuda]'`.

The simulator runs Python and cannot see what only a compiler sees: types, registers, which launches are cooperative.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install -e '.[dev-cuda]'")

from numba import types

from fastlstm.cells import CELLS
from fastlstm.cuda import matrix
from fastlstm.cuda.backward import backward
from fastlstm.cuda.forward import enter, forward
from fastlstm.cuda.gather import gathered
from fastlstm.cuda.machine import Machine
from fastlstm.cuda.pair import Product, choose_pair
from fastlstm.cuda.projected import backward_projected, forward_projected
from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.tile import choose

if SIMULATED:
    pytest.skip("the simulator compiles nothing", allow_module_level=True)

H200 = Machine(blocks=132, shared_bytes=227 * 1024, threads=256, lanes=32, registers=255, cooperative=True, group=132)
CAPABILITY = (9, 0)
cuda = cuda_module()


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba-cuda asks the current device for its capability when a device function is called for."""
    present = type("Device", (), {"compute_capability": CAPABILITY})
    monkeypatch.setattr(sys.modules["numba.cuda.dispatcher"], "get_current_device", lambda: present)


def ptx(kernel: Any, *arguments: Any) -> str:
    return cuda.compile_ptx(kernel.py_func, arguments, cc=CAPABILITY)[0]


def array(kind: Any, dimensions: int) -> types.Array:
    return types.Array(kind, dimensions, "C")


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_sequence_kernels(cell: str, dtype: str, persistent: bool) -> None:
    number, gates, H, size = getattr(types, dtype), CELLS[cell].GATES, 256, int(dtype[5:]) // 8
    cube, square = array(number, 3), array(number, 2)
    place = (array(types.int64, 1), array(types.int64, 1), array(types.boolean, 2))
    ending = (*place, array(types.int32, 1), *(types.int64,) * 9)
    there = choose(H200, gates, H, H, 16, 1, size, persistent)
    back = choose(H200, 1, H, gates * H, 16, 1, size, persistent)
    codes = [
        ptx(
            forward(cell, dtype, True, there.tile, persistent),
            *(cube, cube, cube, square, square, cube, cube, square, cube, cube, *ending),
        ),
        ptx(
            backward(cell, dtype, back.tile, persistent),
            *(cube, cube, cube, cube, cube, square, cube, cube, cube, cube, *ending),
        ),
        ptx(
            enter(dtype, True, CELLS[cell].CARRIES_CELL),
            *(cube, cube, cube, cube, types.boolean, *place, *(types.int64,) * 4),
        ),
    ]
    for code, cooperative in zip(codes, (persistent, persistent, False), strict=True):
        assert ".local" not in code, "sums and weights belong in registers"
        assert ("cudaCGSynchronize" in code) == cooperative
        assert dtype == "float64" or ".f64" not in code, "a Python number made double precision of something"
    wide = "ld.shared.v4.f32" if dtype == "float32" else "ld.shared.v2.f64"
    assert all(wide in code for code in codes[:2]), "a load of 16 bytes wants its place to be known as aligned"


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_with_a_projection(dtype: str, persistent: bool) -> None:
    number, H, P, size = getattr(types, dtype), 256, 100, int(dtype[5:]) // 8
    cube, square = array(number, 3), array(number, 2)
    ending = (*(array(types.int64, 1),) * 2, array(types.boolean, 2), array(types.int32, 1), *(types.int64,) * 11)
    there = choose_pair(H200, Product(4, H, P), Product(1, P, H), 16, 1, size, persistent)
    back = choose_pair(H200, Product(1, P, 4 * H), Product(1, H, P), 16, 1, size, persistent)
    codes = [
        ptx(
            forward_projected(dtype, True, there.launch.tile, there.second, persistent),
            *(cube, cube, square, cube, cube, cube, cube, square, cube, cube, *ending),
        ),
        ptx(
            backward_projected(dtype, back.launch.tile, back.second, persistent),
            *(cube, cube, cube, cube, cube, square, cube, cube, cube, cube, *ending),
        ),
    ]
    wide = "ld.shared.v4.f32" if dtype == "float32" else "ld.shared.v2.f64"
    for code in codes:
        assert ".local" not in code, "sums and weights belong in registers"
        assert ("cudaCGSynchronize" in code) == persistent
        assert dtype == "float64" or ".f64" not in code, "a Python number made double precision of something"
        assert wide in code, "a load of 16 bytes wants its place to be known as aligned"


@pytest.mark.parametrize("turned", [True, False])
def test_products_and_elements(turned: bool) -> None:
    square, line = array(types.float32, 2), array(types.float32, 1)
    assert "fma.rn.f32" in ptx(matrix._own("float32", turned, turned, turned), square, square, square, types.int64)
    assert ".f64" not in ptx(matrix.times, line, line, line)
    assert ".f64" not in ptx(matrix.plus, line, line, line)
    assert ".f64" not in ptx(matrix.fill, line, types.float32)
    cube, index = array(types.float32, 3), array(types.int64, 1)
    assert ".f64" not in ptx(gathered, cube, index, types.float32, cube)
