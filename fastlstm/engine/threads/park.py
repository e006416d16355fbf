"""What the operating system does for threads: start and join one, let it sleep, wake it, move it to another CPU.

Everything here is called from compiled code, so neither the interpreter nor a signal's handler comes in between.
"""

from __future__ import annotations

import sys

from numba import types

from fastlstm.engine.threads.control import CPU_SET_BYTES
from fastlstm.kernels.jit import inner
from fastlstm.kernels.sync import nap

_int, _address = types.int32, types.intp

if sys.platform.startswith("linux"):
    _sem_init = types.ExternalFunction("sem_init", _int(_address, _int, types.uint32))
    _sem_wait = types.ExternalFunction("sem_wait", _int(_address))
    _sem_post = types.ExternalFunction("sem_post", _int(_address))
    _sched_getaffinity = types.ExternalFunction("sched_getaffinity", _int(_int, _address, _address))
    _sched_setaffinity = types.ExternalFunction("sched_setaffinity", _int(_int, _address, _address))
    _pthread_setname_np = types.ExternalFunction("pthread_setname_np", _int(_address, _address))
    current_cpu = types.ExternalFunction("sched_getcpu", _int())
    _NAME = int.from_bytes(b"fastlstm", "little")

    @inner
    def name(words, place, address, thread):
        """Show a thread as "fastlstm" to those who list threads; works in the two words at `place`."""
        words[place], words[place + 1] = _NAME, 0
        _pthread_setname_np(thread, address + place * 8)

    @inner
    def prepare(semaphore):
        _sem_init(semaphore, 0, 0)

    @inner
    def sleep(semaphore):
        """Until woken, or earlier: the caller looks again."""
        _sem_wait(semaphore)

    @inner
    def wake(semaphore):
        _sem_post(semaphore)

    @inner
    def step_aside(words, address, place, cpu):
        """Move this thread to another CPU if it is on `cpu`, where its caller runs; leave it free to move on.

        A worker that spins for its next job on its caller's CPU looks busy to Linux, which then leaves both there for
        seconds while another CPU is idle: a call of 9 us took 165.
        """
        if cpu != current_cpu() or cpu >= CPU_SET_BYTES * 8:
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
    def prepare(semaphore):
        pass

    @inner
    def sleep(semaphore):
        nap(_MILLISECOND)

    @inner
    def wake(semaphore):
        pass

    @inner
    def name(words, place, address, thread):
        pass

    @inner
    def current_cpu():
        return 0

    @inner
    def step_aside(words, address, place, cpu):
        pass


if sys.platform == "win32":
    _create_thread = types.ExternalFunction(
        "CreateThread", _address(_address, _address, _address, _address, types.uint32, _address)
    )
    _wait = types.ExternalFunction("WaitForSingleObject", types.uint32(_address, types.uint32))
    _close = types.ExternalFunction("CloseHandle", _int(_address))

    @inner
    def start(words, handle, function, argument, signals):
        """Start a thread in `function(argument)`, its handle into words[handle]; whether the system gave one."""
        words[handle] = _create_thread(0, 0, function, argument, 0, 0)
        return words[handle] != 0

    @inner
    def join(handle):
        """Wait until the thread has ended."""
        _wait(handle, 0xFFFFFFFF)
        _close(handle)

else:
    _pthread_create = types.ExternalFunction("pthread_create", _int(_address, _address, _address, _address))
    _pthread_join = types.ExternalFunction("pthread_join", _int(_address, _address))
    _pthread_sigmask = types.ExternalFunction("pthread_sigmask", _int(_int, _address, _address))
    _sigfillset = types.ExternalFunction("sigfillset", _int(_address))
    _SIG_SETMASK = 3 if sys.platform == "darwin" else 2

    @inner
    def start(words, handle, function, argument, signals):
        """Start a thread in `function(argument)`, its handle into words[handle]; whether the system gave one.

        It takes no signals, they are Python's: `signals` is the address of two sigset_t to work in.
        """
        _sigfillset(signals)
        _pthread_sigmask(_SIG_SETMASK, signals, signals + 128)
        # The address of words[handle] as a number: the words begin where `argument`'s mailbox does.
        failed = _pthread_create(argument + handle * 8, 0, function, argument)
        _pthread_sigmask(_SIG_SETMASK, signals + 128, 0)
        return failed == 0

    @inner
    def join(handle):
        """Wait until the thread has ended."""
        _pthread_join(handle, 0)
