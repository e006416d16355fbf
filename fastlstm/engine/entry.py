"""Compiled entry points: they fill in a call's addresses and run a kernel, layer by layer, on a crew's threads."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import njit, types

from fastlstm.engine.threads.crew import perform
from fastlstm.kernels.jit import OPTIONS, digest, inner
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.sync import words_at

_BLOCK_BYTES = 8 * len(SLOTS)
_THREADS, _BRIEF, _WAVEFRONT = (SLOTS[name] for name in ("threads", "brief", "wavefront"))
_PHASES, _PORTIONS = SLOTS["phases"], SLOTS["portions"]
_PHASES_BACK, _PORTIONS_BACK = SLOTS["phases_back"], SLOTS["portions_back"]
_X, _OUT, _H0, _C0, _HN, _CN = (SLOTS[name] for name in ("x", "out", "h0", "c0", "hn", "cn"))
_X_OFFSET, _OUT_OFFSET, _H_OFFSET, _C_OFFSET = (
    SLOTS[name] for name in ("x_offset", "out_offset", "h_offset", "c_offset")
)
_RESET, _RESET_OFFSET, _HAS_STATE = SLOTS["reset"], SLOTS["reset_offset"], SLOTS["has_state"]
_GRAD_OUT, _GRAD_HN, _GRAD_CN = SLOTS["grad_out"], SLOTS["grad_hn"], SLOTS["grad_cn"]
_GRAD_X, _GRAD_H0, _GRAD_C0 = SLOTS["grad_x"], SLOTS["grad_h0"], SLOTS["grad_c0"]
_HAS_GRAD_OUT, _HAS_GRAD_STATE = SLOTS["has_grad_out"], SLOTS["has_grad_state"]


@inner
def address_of(blocks, number):
    """The address of one of the job blocks at the address `blocks`."""
    return blocks + number * _BLOCK_BYTES


@inner
def block_at(blocks, number):
    """One of the job blocks at the address `blocks`."""
    return words_at(address_of(blocks, number))


def _signature(dtype: str, kinds: str) -> types.Type:
    """`n` stands for an integer or address, `a` for a three-dimensional C-contiguous array of `dtype`."""
    array = getattr(types, dtype)[:, :, ::1]
    return types.void(*[types.int64 if kind == "n" else array for kind in kinds])


def direct(function: Any) -> Any:
    """The compiled function without Numba's dispatcher, which looks at the types of the arguments: 0.5 us a call.

    Wrong types end in an exception or worse.
    """
    (compiled,) = function.overloads.values()
    return compiled.entry_point


@cache
def run_forward(dtype: str) -> Any:
    """All layers forward: the compiled function of `dtype`, once for all engines.

    control, blocks: addresses of the crew's control block (0: this thread alone) and of `rows` job blocks, `tasks` for
    each layer. reset: address of the mask, or 0.
    """
    # Numba's cache sees a change of this file, not of those it imports. What a function closes over is part of its key.
    key = digest()

    @njit(_signature(dtype, "nnnnnnnaaaaaa"), cache=True, no_cfunc_wrapper=True, **OPTIONS)
    def run_forward(control, kernel, blocks, rows, tasks, has_state, reset, x, h0, c0, out, hn, cn):
        _ = key
        size = x.itemsize
        for i in range(rows):
            block = block_at(blocks, i)
            block[_HAS_STATE] = has_state
            block[_H0] = h0.ctypes.data + block[_H_OFFSET] * size
            block[_C0] = c0.ctypes.data + block[_C_OFFSET] * size
            block[_HN] = hn.ctypes.data + block[_H_OFFSET] * size
            block[_CN] = cn.ctypes.data + block[_C_OFFSET] * size
            block[_RESET] = reset + block[_RESET_OFFSET]
            if i < tasks:
                block[_X] = x.ctypes.data + block[_X_OFFSET] * size
            if i >= rows - tasks:
                block[_OUT] = out.ctypes.data + block[_OUT_OFFSET] * size
        at_once = rows if block_at(blocks, 0)[_WAVEFRONT] else tasks
        for first in range(0, rows, at_once):
            block = block_at(blocks, first)
            phases, portions = block[_PHASES], block[_PORTIONS]
            perform(control, kernel, address_of(blocks, first), phases, portions, block[_THREADS], block[_BRIEF])

    return direct(run_forward)


@cache
def run_backward(dtype: str) -> Any:
    """All layers backward, the last first: the compiled function of `dtype`, once for all engines.

    backward, gradients: addresses of these kernels; the others as in `run_forward`.
    """
    key = digest()

    @njit(_signature(dtype, "nnnnnnnnaaaaaa"), cache=True, no_cfunc_wrapper=True, **OPTIONS)
    def run_backward(
        control, backward, gradients, blocks, rows, tasks, has_out, has_state, grad_out, grad_hn, grad_cn, grad_x,
        grad_h0, grad_c0,
    ):  # fmt: skip
        _ = key
        size = grad_x.itemsize
        for i in range(rows):
            block = block_at(blocks, i)
            block[_HAS_GRAD_OUT] = 1
            block[_HAS_GRAD_STATE] = has_state
            block[_GRAD_HN] = grad_hn.ctypes.data + block[_H_OFFSET] * size
            block[_GRAD_CN] = grad_cn.ctypes.data + block[_C_OFFSET] * size
            block[_GRAD_H0] = grad_h0.ctypes.data + block[_H_OFFSET] * size
            block[_GRAD_C0] = grad_c0.ctypes.data + block[_C_OFFSET] * size
            if i < tasks:
                block[_GRAD_X] = grad_x.ctypes.data + block[_X_OFFSET] * size
            if i >= rows - tasks:
                block[_HAS_GRAD_OUT] = has_out
                block[_GRAD_OUT] = grad_out.ctypes.data + block[_OUT_OFFSET] * size
        for first in range(rows - tasks, -1, -tasks):
            block, address = block_at(blocks, first), address_of(blocks, first)
            phases, portions, threads = block[_PHASES_BACK], block[_PORTIONS_BACK], block[_THREADS]
            perform(control, backward, address, phases, portions, threads, block[_BRIEF])
            perform(control, gradients, address, types.int64(1), threads, threads, block[_BRIEF])

    return direct(run_backward)


@cache
def run_each() -> Any:
    """Run a kernel of one phase on each of the `rows` job blocks at the address `blocks` by itself."""
    key = digest()

    @njit(types.void(*[types.int64] * 5), cache=True, no_cfunc_wrapper=True, **OPTIONS)
    def run_each(control, kernel, blocks, rows, threads):
        _ = key
        for i in range(rows):
            block_at(blocks, i)[_THREADS] = threads
            perform(control, kernel, address_of(blocks, i), types.int64(1), threads, threads, types.int64(0))

    return direct(run_each)
