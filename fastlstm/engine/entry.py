"""Entry points: what Python calls to fill in a call's addresses and run a kernel, layer by layer, on a crew's threads.

Every argument is an int; where Python hands over an array it is the address of its numbers. size: bytes of a number.
"""

from __future__ import annotations

from numba import types

from fastlstm.engine.threads.crew import perform
from fastlstm.kernels.jit import inner
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.sync import words_at

_memcmp = types.ExternalFunction("memcmp", types.int32(types.int64, types.int64, types.int64))

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
_RETREAT, _SKIPS_X = SLOTS["retreat"], SLOTS["skips_x"]
_TRAIN, _KEPT, _Z, _U = (SLOTS[name] for name in ("train", "kept", "z", "u"))
_HAS_GRAD_OUT, _HAS_GRAD_STATE = SLOTS["has_grad_out"], SLOTS["has_grad_state"]


@inner
def address_of(blocks, number):
    """The address of one of the job blocks at the address `blocks`."""
    return blocks + number * _BLOCK_BYTES


@inner
def block_at(blocks, number):
    """One of the job blocks at the address `blocks`."""
    return words_at(address_of(blocks, number))


def run_forward(control, kernel, blocks, rows, tasks, has_state, reset, size, x, h0, c0, out, hn, cn):
    """All layers forward.

    control, blocks: addresses of the crew's control block (0: this thread alone) and of `rows` job blocks, `tasks` for
    each layer. reset: address of the mask, or 0.
    """
    for i in range(rows):
        block = block_at(blocks, i)
        block[_HAS_STATE] = has_state
        block[_H0] = h0 + block[_H_OFFSET] * size
        block[_C0] = c0 + block[_C_OFFSET] * size
        block[_HN] = hn + block[_H_OFFSET] * size
        block[_CN] = cn + block[_C_OFFSET] * size
        block[_RESET] = reset + block[_RESET_OFFSET]
        if i < tasks:
            block[_X] = x + block[_X_OFFSET] * size
        if i >= rows - tasks:
            block[_OUT] = out + block[_OUT_OFFSET] * size
    at_once = rows if block_at(blocks, 0)[_WAVEFRONT] else tasks
    for first in range(0, rows, at_once):
        block = block_at(blocks, first)
        phases, portions = block[_PHASES], block[_PORTIONS]
        perform(control, kernel, address_of(blocks, first), phases, portions, block[_THREADS], block[_BRIEF])


def run_backward(
    control, backward, gradients, retreat, blocks, rows, tasks, has_out, has_state, skips_x, size, count, places,
    starts, memory, grad_out, grad_hn, grad_cn, grad_x, grad_h0, grad_c0,
):  # fmt: skip
    """All layers backward, the last first. backward, gradients, retreat: addresses of these kernels; the others as in
    `run_forward`.

    places, starts: `count` words each, of the words of all blocks those that say where a gradient of a parameter is to
    go, and which number of `memory` that is. skips_x: nobody wants the gradient of x.
    """
    words = words_at(blocks)
    for i in range(count):
        words[words_at(places)[i]] = memory + words_at(starts)[i] * size
    for i in range(rows):
        block = block_at(blocks, i)
        block[_RETREAT] = retreat
        block[_HAS_GRAD_OUT] = 1
        block[_HAS_GRAD_STATE] = has_state
        block[_GRAD_HN] = grad_hn + block[_H_OFFSET] * size
        block[_GRAD_CN] = grad_cn + block[_C_OFFSET] * size
        block[_GRAD_H0] = grad_h0 + block[_H_OFFSET] * size
        block[_GRAD_C0] = grad_c0 + block[_C_OFFSET] * size
        if i < tasks:
            block[_SKIPS_X] = skips_x
            block[_GRAD_X] = grad_x + block[_X_OFFSET] * size
        if i >= rows - tasks:
            block[_HAS_GRAD_OUT] = has_out
            block[_GRAD_OUT] = grad_out + block[_OUT_OFFSET] * size
    for first in range(rows - tasks, -1, -tasks):
        block, address = block_at(blocks, first), address_of(blocks, first)
        phases, portions, threads = block[_PHASES_BACK], block[_PORTIONS_BACK], block[_THREADS]
        perform(control, backward, address, phases, portions, threads, block[_BRIEF])
        perform(control, gradients, address, types.int64(1), threads, threads, block[_BRIEF])


def run_each(control, kernel, blocks, rows, threads):
    """A kernel of one phase on each of the `rows` job blocks at the address `blocks` by itself."""
    for i in range(rows):
        block_at(blocks, i)[_THREADS] = threads
        perform(control, kernel, address_of(blocks, i), types.int64(1), threads, threads, types.int64(0))


def run_step(control, blocks, rows, kernel, tasks, threads, has_state, size, x, h0, c0, out, hn, cn, kept):
    """One time step on unpacked weights, of all layers. x, ..., kept: addresses; Python has no arrays at hand there."""
    for i in range(rows):
        block = block_at(blocks, i)
        block[_TRAIN] = kept != 0
        block[_KEPT] = kept
        block[_HAS_STATE] = has_state
        block[_H0] = h0 + block[_H_OFFSET] * size
        block[_C0] = c0 + block[_H_OFFSET] * size
        block[_HN] = hn + block[_H_OFFSET] * size
        block[_CN] = cn + block[_H_OFFSET] * size
        if i < tasks:
            block[_X] = x
        if i >= rows - tasks:
            block[_OUT] = out + block[_OUT_OFFSET] * size
    for first in range(0, rows, tasks):
        brief = block_at(blocks, first)[_BRIEF]
        perform(control, kernel, address_of(blocks, first), types.int64(1), threads, threads, brief)


def run_step_back(control, blocks, kernel, threads, kept, h0, c0, grad_hn, grad_cn, z, u, grad_h0, grad_c0):
    """The same for the backward of one layer: every argument is an address but the number of threads."""
    block = block_at(blocks, 0)
    block[_KEPT] = kept
    block[_H0], block[_C0], block[_GRAD_HN], block[_GRAD_CN] = h0, c0, grad_hn, grad_cn
    block[_Z], block[_U], block[_GRAD_H0], block[_GRAD_C0] = z, u, grad_h0, grad_c0
    perform(control, kernel, blocks, types.int64(1), threads, threads, types.int64(0))


def run_products(control, blocks, kernel, portions, threads, brief):
    """Products of plain matrices, all job blocks at `blocks` at once."""
    perform(control, kernel, blocks, types.int64(1), portions, threads, brief)


def same_bytes(pairs, count):
    """Whether `count` pieces of memory hold what other ones do, 1 or 0. pairs: of each three words, both addresses and
    the bytes; by the address of the first.
    """
    words = words_at(pairs)
    for i in range(count):
        if _memcmp(words[3 * i], words[3 * i + 1], words[3 * i + 2]) != 0:
            return 0
    return 1
