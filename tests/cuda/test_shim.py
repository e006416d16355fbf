"""What a user is told where CUDA is not there or fails, and that the process lives on."""

from __future__ import annotations

import os

import pytest

from fastlstm.cuda import CudaError, shim
from fastlstm.cuda.shim import why_not, worded
from fastlstm.info import backend


def raised(name: str, message: str, base: type[Exception] = Exception) -> Exception:
    """An exception whose class has the name of one of numba-cuda's."""
    return type(name, (base,), {})(message)


@pytest.mark.parametrize(
    ("name", "message", "told"),
    [
        ("CudaSupportError", "Error at driver init: \nCUDA driver library cannot be found.", "no NVIDIA driver"),
        ("CUDAError", "CUDA_ERROR_OUT_OF_MEMORY: The API call failed", "the GPU's memory is full"),
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 20 GiB", "the GPU's memory is full"),
        ("CudaAPIError", "[100] Call to cuInit results in CUDA_ERROR_NO_DEVICE", "the driver sees no NVIDIA GPU"),
        ("LinkerError", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "update the driver"),
        ("CudaAPIError", "[35] CUDA_ERROR_INSUFFICIENT_DRIVER", "update the driver"),
        ("CudaAPIError", "[101] CUDA_ERROR_INVALID_DEVICE", "no GPU of this number"),
        ("NvvmSupportError", "libNVVM cannot be found", "the compiler (NVVM) is not found"),
        ("CudaAPIError", "[999] something new", "CudaAPIError: [999] something new"),
    ],
)
def test_the_cause_is_named(name: str, message: str, told: str) -> None:
    with pytest.raises(CudaError) as caught, worded():
        raise raised(name, message)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_of_the_program_pass_as_they_are() -> None:
    with pytest.raises(KeyError), worded():
        raise KeyError("weight_ih_l0")
    with pytest.raises(CudaError, match=r"^as it was$"), worded():
        raise CudaError("as it was")


def test_a_numpy_that_the_compiler_does_not_know() -> None:
    """numba-cuda 0.30.4 asks NumPy 2.5 for row_stack, which it has no more, at the first kernel."""
    with pytest.raises(CudaError, match=r"numba-cuda does not know NumPy .*row_stack"), worded():
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")
    with pytest.raises(AttributeError), worded():
        raise AttributeError("'Weights' has no attribute 'row_stack'")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(shim, "import_module", nothing)
    assert why_not() == "numba-cuda is not installed: pip install 'fastlstm[cuda]'"
    with pytest.raises(CudaError, match="numba-cuda is not installed"):
        shim.device_name()


class Fake:
    """A stand-in for numba.cuda on a machine with `gpus`."""

    def __init__(self, error: str | None, gpus: int, available: bool) -> None:
        self._error, self.gpus, self._available = error, [None] * gpus, available

    def cuda_error(self) -> str | None:
        return self._error

    def is_available(self) -> bool:
        return self._available

    def current_context(self) -> None:
        pass


@pytest.mark.skipif(shim.SIMULATED, reason="the simulator always serves")
@pytest.mark.parametrize(
    ("error", "gpus", "available", "reason"),
    [
        ("CUDA driver library cannot be found", 0, False, "no NVIDIA driver is installed"),
        (None, 0, True, "the driver sees no NVIDIA GPU"),
        (None, 1, False, "the compiler (NVVM) is not found"),
        (None, 1, True, None),
    ],
)
def test_info_says_why_not(
    monkeypatch: pytest.MonkeyPatch, error: str | None, gpus: int, available: bool, reason: str | None
) -> None:
    monkeypatch.setattr(shim, "cuda_module", lambda: Fake(error, gpus, available))
    monkeypatch.setattr(backend, "_gpu_name", lambda: "a GPU")
    [entry] = [found for found in backend.backends() if found.name == "cuda"]
    if reason is None:
        assert entry.serves == "a GPU: LSTM, GRU, RNN and their cells, float32 and float64"
        assert entry.reason is None
    else:
        assert entry.serves is None
        assert reason in str(entry.reason)


USE = """
from fastlstm_lint.contract import Layer
from fastlstm.cuda import CudaError, Engine, why_not
try:
    Engine(Layer("LSTM", 3, 4), "float32")
except CudaError as error:
    assert str(error).split(" (")[0] == why_not().split(" (")[0]  # the driver's own words, in brackets, change
    print("refused:", error)
"""


def test_the_process_lives_on_where_no_device_can_be_used(python) -> None:  # type: ignore[no-untyped-def]
    """No driver here, or with one no device that the process may see."""
    done = python("-c", USE, env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "NUMBA_ENABLE_CUDASIM": "0"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")


def test_importing_the_room_loads_no_numba(python) -> None:  # type: ignore[no-untyped-def]
    done = python("-c", "import fastlstm.cuda, sys; print('numba' in sys.modules, 'torch' in sys.modules)")
    assert done.stdout.split() == ["False", "False"], done.stderr
