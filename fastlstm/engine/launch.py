"""Compiled entry points: they fill in a call's addresses and run a kernel on the pool's threads.

A pool is known by the address of its control block (control.py).
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

from numba import cfunc, njit, types

from fastlstm.engine import team
from fastlstm.engine.control import (
    ASLEEP,
    BARRIER,
    BLOCK,
    BUSY,
    CPU,
    CPU_SET,
    CPU_SET_BYTES,
    DONE,
    FORK,
    KERNEL,
    MAIL,
    MAILBOX,
    MISSED,
    POSTED,
    SEMAPHORE,
    THREAD,
)
from fastlstm.kernels.jit import OPTIONS, at, digest, inner
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.sync import (
    NAP,
    atomic_add,
    atomic_load,
    atomic_store,
    call_kernel,
    compare_exchange,
    nap,
    pause,
    wait_until,
    words_at,
)

IDLE_SPINS = 4000  # about 100 us: longer than a training loop's Python between two calls, too short to be noticed
MISSES = 8  # calls with little work that find workers asleep before they wake them, for the next one
STOP = -1  # as a thread number: the worker ends

if sys.platform.startswith("linux"):
    _sem_init = types.ExternalFunction("sem_init", types.int32(types.intp, types.int32, types.uint32))
    _sem_wait = types.ExternalFunction("sem_wait", types.int32(types.intp))
    _sem_post = types.ExternalFunction("sem_post", types.int32(types.intp))
    _affinity = types.int32(types.int32, types.intp, types.intp)
    _sched_getaffinity = types.ExternalFunction("sched_getaffinity", _affinity)
    _sched_setaffinity = types.ExternalFunction("sched_setaffinity", _affinity)
    _current_cpu = types.ExternalFunction("sched_getcpu", types.int32())

    @inner
    def _prepare(address):
        _sem_init(address, 0, 0)

    @inner
    def _sleep(address):
        """Until woken; a signal ends it early, which the caller's loop tolerates."""
        _sem_wait(address)

    @inner
    def _wake(address):
        _sem_post(address)

    @inner
    def _step_aside(words, address, place, cpu):
        """Move this thread to another CPU if it is on `cpu`, where its caller runs; leave it free to move on.

        A worker that spins for its next job on its caller's CPU looks busy to Linux, which then leaves both there for
        seconds while another CPU is idle: a call of 9 us took 165.
        """
        if cpu != _current_cpu() or cpu >= CPU_SET_BYTES * 8:
            return
        here = address + place * 8
        if _sched_getaffinity(0, CPU_SET_BYTES, here) == 0:
            bit = 1 << (cpu & 63)
            words[place + (cpu >> 6)] &= ~bit
            if _sched_setaffinity(0, CPU_SET_BYTES, here) == 0:  # not where it is the only CPU
                words[place + (cpu >> 6)] |= bit
                _sched_setaffinity(0, CPU_SET_BYTES, here)

else:
    # macOS has no unnamed semaphores and Windows no sem_t: a sleeping worker looks for work every millisecond.
    _MILLISECOND = 1 if sys.platform == "win32" else 1000

    @inner
    def _prepare(address):
        pass

    @inner
    def _sleep(address):
        nap(_MILLISECOND)

    @inner
    def _wake(address):
        pass

    @inner
    def _current_cpu():
        return 0

    @inner
    def _step_aside(words, address, place, cpu):
        pass


_WORDS = types.int64[::1]


@inner
def _post(words, address, worker, kernel, block, thread):
    mail = MAIL + worker * MAILBOX
    words[mail + KERNEL] = kernel
    words[mail + BLOCK] = block
    words[mail + THREAD] = thread
    words[mail + CPU] = _current_cpu()
    atomic_add(words, mail + POSTED, 1)
    if compare_exchange(words, mail + ASLEEP, 1, 0):
        _wake(address + (mail + SEMAPHORE) * 8)


@inner
def _awake(words, address, threads):
    """How many of `threads` threads can start at once; the others are woken when calls keep coming.

    Waking a thread takes 50 to 300 us, so a step of a few us that comes once in a while is better done alone.
    """
    awake = 1
    while awake < threads and atomic_load(words, MAIL + (awake - 1) * MAILBOX + ASLEEP) == 0:
        awake += 1
    if awake < threads:
        words[MISSED] += 1
        if words[MISSED] == MISSES:
            words[MISSED] = 0
            for worker in range(awake - 1, threads - 1):
                mail = MAIL + worker * MAILBOX
                if compare_exchange(words, mail + ASLEEP, 1, 0):
                    _wake(address + (mail + SEMAPHORE) * 8)
    return awake


@inner
def block_at(blocks, number):
    """One of the job blocks at the address `blocks`."""
    return words_at(blocks + number * _BLOCK_BYTES)


@inner
def run_tasks(control, kernel, blocks, first, count, threads):
    """Run `kernel` on the blocks first..first+count-1 with up to `threads` threads; alone if the pool is taken."""
    words = words_at(control)
    mine = threads > 1 and compare_exchange(words, BUSY, 0, 1)
    if not mine:
        threads = 1
    elif block_at(blocks, first)[_BRIEF]:
        threads = team.threads_for_little(control, threads) if words[FORK] else _awake(words, control, threads)
    for i in range(first, first + count):
        block = block_at(blocks, i)
        block[_THREADS] = threads
        block[_TASKS] = count
        block[_BARRIER] = control + BARRIER * 8
        if block[_WAVEFRONT]:
            words_at(block[_STEPS])[0] = 0
    here = blocks + first * _BLOCK_BYTES
    if mine and words[FORK]:
        if threads > 1:
            team.run_in_team(control, kernel, here, count, threads)
        else:
            call_kernel(kernel, words_at(here), 0)
        atomic_store(words, BUSY, 0)
        return
    if mine:
        atomic_store(words, DONE, 0)
        for worker in range(threads - 1):
            _post(words, control, worker, kernel, here, worker + 1)
    call_kernel(kernel, words_at(here), 0)
    if mine:
        wait_until(at(words, DONE), threads - 1)
        atomic_store(words, BUSY, 0)


_BLOCK_BYTES = 8 * len(SLOTS)
_THREADS, _TASKS, _BARRIER, _BRIEF = (SLOTS[name] for name in ("threads", "tasks", "barrier", "brief"))
_WAVEFRONT, _STEPS = SLOTS["wavefront"], SLOTS["steps"]
_X, _OUT, _H0, _C0, _HN, _CN = (SLOTS[name] for name in ("x", "out", "h0", "c0", "hn", "cn"))
_X_OFFSET, _OUT_OFFSET, _H_OFFSET, _C_OFFSET = (
    SLOTS[name] for name in ("x_offset", "out_offset", "h_offset", "c_offset")
)
_RESET, _RESET_OFFSET, _HAS_STATE = SLOTS["reset"], SLOTS["reset_offset"], SLOTS["has_state"]
_GRAD_OUT, _GRAD_HN, _GRAD_CN = SLOTS["grad_out"], SLOTS["grad_hn"], SLOTS["grad_cn"]
_GRAD_X, _GRAD_H0, _GRAD_C0 = SLOTS["grad_x"], SLOTS["grad_h0"], SLOTS["grad_c0"]
_HAS_GRAD_OUT, _HAS_GRAD_STATE = SLOTS["has_grad_out"], SLOTS["has_grad_state"]


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


class EntryPoints:
    """The compiled functions that Python calls, compiled or loaded from the cache on their first use.

    Numba's cache sees a change of this file, not of those it imports. What a function closes over is part of the
    cache's key, hence `digest`.
    """

    def __init__(self, digest: str) -> None:
        self._digest = digest

    @cached_property
    def work(self) -> Any:
        """The life of one worker: wait for a job in its mailbox, run it, count itself done; until told to stop."""
        digest = self._digest

        @njit(types.void(_WORDS, types.int64), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def work(control, worker):
            _ = digest
            words = words_at(control.ctypes.data)
            mail = MAIL + worker * MAILBOX
            semaphore = control.ctypes.data + (mail + SEMAPHORE) * 8
            seen = 0
            while True:
                spins = 0
                while atomic_load(words, mail + POSTED) == seen:
                    spins += 1
                    if spins < IDLE_SPINS:
                        pause()
                        continue
                    atomic_store(words, mail + ASLEEP, 1)
                    # Posted since the last look: if nobody has taken the flag down yet, no wake-up is coming.
                    if atomic_load(words, mail + POSTED) == seen or not compare_exchange(words, mail + ASLEEP, 1, 0):
                        _sleep(semaphore)
                        compare_exchange(words, mail + ASLEEP, 1, 0)
                        spins = 0
                seen += 1
                thread = words[mail + THREAD]
                if thread == STOP:
                    return
                _step_aside(words, control.ctypes.data, mail + CPU_SET, words[mail + CPU])
                call_kernel(words[mail + KERNEL], words_at(words[mail + BLOCK]), thread)
                atomic_add(words, DONE, 1)

        return work

    @cached_property
    def prepare_mailbox(self) -> Any:
        """Make a worker's semaphore."""
        digest = self._digest

        @njit(types.void(_WORDS, types.int64), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def prepare_mailbox(control, worker):
            _ = digest
            _prepare(control.ctypes.data + (MAIL + worker * MAILBOX + SEMAPHORE) * 8)

        return prepare_mailbox

    @cached_property
    def stop_worker(self) -> Any:
        """Tell a worker to end."""
        digest = self._digest

        @njit(types.void(_WORDS, types.int64), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def stop_worker(control, worker):
            _ = digest
            _post(words_at(control.ctypes.data), control.ctypes.data, worker, 0, 0, STOP)

        return stop_worker

    @cached_property
    def retire(self) -> Any:
        """Take a control block for ever: who still holds it finds it busy, and runs alone."""
        digest = self._digest

        @njit(types.void(_WORDS), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def retire(control):
            _ = digest
            words = words_at(control.ctypes.data)
            while not compare_exchange(words, BUSY, 0, 1):
                nap(NAP)

        return retire

    def run_forward(self, dtype: str) -> Any:
        """All layers forward.

        control, blocks: addresses of the control block and of `rows` job blocks, `tasks` for each layer. reset: address
        of the mask, or 0.
        """
        digest = self._digest

        @njit(_signature(dtype, "nnnnnnnnaaaaaa"), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def run_forward(control, kernel, blocks, rows, tasks, threads, has_state, reset, x, h0, c0, out, hn, cn):
            _ = digest
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
                run_tasks(control, kernel, blocks, first, at_once, threads)

        return direct(run_forward)

    def run_backward(self, dtype: str) -> Any:
        """All layers backward, the last first.

        steps, weights: addresses of the kernels `backward` and `gradients`; the others as in `run_forward`.
        """
        digest = self._digest

        @njit(_signature(dtype, "nnnnnnnnnaaaaaa"), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def run_backward(
            control, steps, weights, blocks, rows, tasks, threads, has_out, has_state, grad_out, grad_hn, grad_cn,
            grad_x, grad_h0, grad_c0,
        ):  # fmt: skip
            _ = digest
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
                run_tasks(control, steps, blocks, first, tasks, threads)
                run_tasks(control, weights, blocks, first, tasks, threads)

        return direct(run_backward)

    @cached_property
    def region(self) -> int:
        """Address of what each thread of an OpenMP team runs: void region(void *control)."""
        digest = self._digest

        @cfunc(types.void(types.int64), cache=True, **OPTIONS)
        def region(control):
            _ = digest
            team.take_part(control)

        self._region = region  # its code lives as long
        return region.address

    @cached_property
    def run_each(self) -> Any:
        """Run a kernel on each of the `rows` job blocks at the address `blocks` by itself."""
        digest = self._digest

        @njit(_signature("float32", "nnnnn"), cache=True, no_cfunc_wrapper=True, **OPTIONS)
        def run_each(control, kernel, blocks, rows, threads):
            _ = digest
            one = types.int64(1)  # no literal: Numba would compile `run_tasks` again for it
            for i in range(rows):
                run_tasks(control, kernel, blocks, i, one, threads)

        return direct(run_each)


ENTRY = EntryPoints(digest())
