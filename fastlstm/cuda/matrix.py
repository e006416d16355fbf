"""Matrix products and memory on the device: cuBLAS through torch or CuPy where one is there, else our own kernels."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numba import types

from fastlstm.cuda import streams
from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.streams import configured

cuda = cuda_module()

# Of our own product: a block's square of outputs, staged through shared memory. 4 in the simulator, where a thread of
# a block is a Python thread.
EDGE = 4 if SIMULATED else 16


class Library(Protocol):
    """What the engine needs of one. Arrays are Numba's device arrays, C-contiguous; all is on the current stream."""

    name: str

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """A device array of any contents, to be freed on the current stream."""

    def multiply(self, a: Any, b: Any, out: Any, *, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        """out = a b, or out += a b; with `ta`, `tb` of the transposed a, b. out: (M, N), a: (M, K), b: (K, N)."""


@cache
def library() -> Library:
    """The best there is: torch and CuPy keep the memory they free for reuse, and have cuBLAS."""
    if SIMULATED:
        return Simulated()
    module = streams.partner()
    return Own() if module is None else Torch(module) if module.__name__ == "torch" else CuPy(module)


def _shared(owner: Any, address: int, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Numba's array on the memory of a library's new one, which says on which stream it is written."""
    described = {"shape": shape, "strides": None, "typestr": dtype.str, "data": (address, False), "version": 3,
                 "stream": streams.place()[1]}  # fmt: skip
    return cuda.from_cuda_array_interface(described, owner=owner, sync=False)


class Torch:
    """cuBLAS and memory by torch. Whether float32 becomes TF32 is torch's setting (by default it does not)."""

    name = "cuBLAS (torch)"

    def __init__(self, torch: ModuleType) -> None:
        self._torch = torch

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        made = self._torch.empty(shape, dtype=getattr(self._torch, dtype.name), device="cuda")
        return _shared(made, made.data_ptr(), shape, dtype)

    def multiply(self, a: Any, b: Any, out: Any, *, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        left, right, result = (self._torch.as_tensor(array, device="cuda") for array in (a, b, out))
        left, right = left.t() if ta else left, right.t() if tb else right
        if add:
            result.addmm_(left, right)
        else:
            self._torch.mm(left, right, out=result)


class CuPy:
    """cuBLAS and memory by CuPy."""

    name = "cuBLAS (CuPy)"

    def __init__(self, cupy: ModuleType) -> None:
        self._cupy = cupy

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        made = self._cupy.empty(shape, dtype)
        return _shared(made, made.data.ptr, shape, dtype)

    def multiply(self, a: Any, b: Any, out: Any, *, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        # Where an array names a stream CuPy waits for it, on the host; these are on the current one.
        left, right, result = (self._cupy.asarray(array.bind()) for array in (a, b, out))
        left, right = left.T if ta else left, right.T if tb else right
        if add:
            result += left @ right
        else:
            self._cupy.matmul(left, right, out=result)


class Own:
    """Without any library: a kernel that stages squares of both factors in shared memory, one output for each thread.

    About a tenth of cuBLAS's speed: right, and no more.
    """

    name = "kernels of its own (install torch or CuPy for cuBLAS)"

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        return cuda.device_array(shape, dtype, stream=streams.current())

    def multiply(self, a: Any, b: Any, out: Any, *, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        M, N = out.shape
        if M and N:
            grid = (-(-N // EDGE), -(-M // EDGE))
            configured(_own(out.dtype.name, ta, tb, add), grid, (EDGE, EDGE))(a, b, out, a.shape[0 if ta else 1])


class Simulated(Own):
    """NumPy's product in the place of cuBLAS, since the simulator would take seconds for it."""

    name = "NumPy (in the simulator)"

    def multiply(self, a: Any, b: Any, out: Any, *, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        left, right = a.copy_to_host(), b.copy_to_host()
        result = (left.T if ta else left) @ (right.T if tb else right)
        out.copy_to_device(result + out.copy_to_host() if add else result)


@cache
def _own(dtype: str, ta: bool, tb: bool, add: bool) -> Any:
    number = getattr(types, dtype)
    zero, PADDED = number(0), EDGE + 1

    @cuda.jit
    def run(a, b, out, K):
        left = cuda.shared.array((EDGE, PADDED), number)
        right = cuda.shared.array((EDGE, PADDED), number)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        row0, column0 = cuda.blockIdx.y * EDGE, cuda.blockIdx.x * EDGE
        M, N = out.shape
        total = zero
        for k0 in range(0, K, EDGE):
            # Neighbours in x read neighbours in memory, whichever way the factors lie.
            if ta:
                left[x, y] = a[k0 + y, row0 + x] if k0 + y < K and row0 + x < M else zero
            else:
                left[y, x] = a[row0 + y, k0 + x] if row0 + y < M and k0 + x < K else zero
            if tb:
                right[x, y] = b[column0 + y, k0 + x] if column0 + y < N and k0 + x < K else zero
            else:
                right[y, x] = b[k0 + y, column0 + x] if k0 + y < K and column0 + x < N else zero
            cuda.syncthreads()
            for k in range(EDGE):
                total += left[y, k] * right[k, x]
            cuda.syncthreads()
        if row0 + y < M and column0 + x < N:
            if add:
                total += out[row0 + y, column0 + x]
            out[row0 + y, column0 + x] = total

    return run


# Threads of a block where each does elements of its own: one in the simulator, where a thread costs more than a loop.
BLOCK = 1 if SIMULATED else 256
MOST_BLOCKS = 1 if SIMULATED else 1024


def copy(source: Any, out: Any) -> None:
    """out = source, both on the device."""
    out.copy_to_device(source, stream=streams.current())


def elementwise(kernel: Any, count: int, *arguments: Any) -> None:
    """Launch a kernel whose threads share `count` elements."""
    if count:
        configured(kernel, min(-(-count // BLOCK), MOST_BLOCKS), BLOCK)(*arguments)


@cuda.jit
def fill(out, value):
    """Kernel: `value` everywhere."""
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = value


@cuda.jit
def times(a, b, out):
    """Kernel: out = a * b. out may be a."""
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = a[i] * b[i]


@cuda.jit
def plus(a, b, out):
    """Kernel: out = a + b."""
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = a[i] + b[i]
