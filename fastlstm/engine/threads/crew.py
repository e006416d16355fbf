"""A crew's work, compiled: a caller publishes a job, whoever is awake claims portions of it, nobody is waited for.

The words are those of control.py, the protocol is README.md's.
"""

from __future__ import annotations

from numba import types

from fastlstm.engine.threads.control import (
    ASLEEP,
    BASE,
    BLOCK,
    BUSY,
    CLAIMS,
    CONTROL,
    CPU,
    CPU_SET,
    DONE,
    EPOCH,
    HANDLE,
    JOBS,
    KERNEL,
    LINE,
    MAIL,
    MAILBOX,
    MISSED,
    MOST,
    NUMBER,
    PHASE,
    PHASES,
    PORTIONS,
    RETIRED,
    SEEN,
    SEMAPHORE,
    SIGNALS,
    STOP,
    THREADS,
    WORKERS,
)
from fastlstm.engine.threads.park import current_cpu, join, name, prepare, sleep, start, step_aside, wake
from fastlstm.engine.threads.team import is_punctual, leave, member_number, run_in_team
from fastlstm.kernels.jit import at, inner
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
MISSES = 8  # calls with little work that find workers asleep before they wake them
# A portion waits about 1 us for the thread whose own it is and whose cache has its weights; then another takes it.
GRACE = 32


@inner
def perform(control, kernel, block, phases, portions, threads, brief):
    """Run `kernel` on the job block at the address `block`: every portion of every phase, phase by phase.

    control: address of a crew's control block; 0, or one that another caller has: this thread does all. threads: so
    many at most, this one included. brief: so little work that waking a worker for it costs more than it gives.
    """
    job = words_at(block)
    words = words_at(control)
    if control == 0 or portions > MOST or not _take(words):
        for phase in range(phases):
            for portion in range(portions):
                call_kernel(kernel, job, phase, portion)
        return
    base = atomic_load(words, PHASE)
    for portion in range(portions):
        words[CLAIMS + portion * LINE] = base
    _publish(words, kernel, block, base, phases, portions, threads)
    if is_punctual(control, brief):
        run_in_team(control, threads)
    else:
        _wake_sleepers(words, control, threads - 1, brief)
        take_part(words, types.int64(0), kernel, block, base, phases, portions, threads)
    atomic_store(words, BUSY, 0)


@inner
def _take(words):
    """Whether this caller has the crew now."""
    if not compare_exchange(words, BUSY, 0, 1):
        return False
    if atomic_load(words, RETIRED):
        atomic_store(words, BUSY, 0)
        return False
    return True


@inner
def _publish(words, kernel, block, base, phases, portions, threads):
    """The next epoch's job. The other slot may still be read; who reads this one's old content sees the epoch move."""
    epoch = words[EPOCH] + 1
    slot = JOBS + (epoch & 1) * LINE
    words[slot + KERNEL] = kernel
    words[slot + BLOCK] = block
    words[slot + BASE] = base
    words[slot + PHASES] = phases
    words[slot + PORTIONS] = portions
    words[slot + THREADS] = threads
    words[slot + CPU] = current_cpu()
    atomic_store(words, EPOCH, epoch)


@inner
def _wake_sleepers(words, control, most, brief):
    """Wake up to `most` workers. Waking takes the caller 5 us: little work does it only when such calls keep coming."""
    most = min(most, words[WORKERS])
    if brief:
        worker = 0
        while worker < most and atomic_load(words, MAIL + worker * MAILBOX + ASLEEP) == 0:
            worker += 1
        if worker == most:
            return
        words[MISSED] += 1
        if words[MISSED] < MISSES:
            return
        words[MISSED] = 0
    for worker in range(most):
        mail = MAIL + worker * MAILBOX
        if compare_exchange(words, mail + ASLEEP, 1, 0):
            wake(control + (mail + SEMAPHORE) * 8)


@inner
def take_part(words, member, kernel, block, base, phases, portions, threads):
    """Claim and do portions until the job's last phase is done.

    Of each phase first those that are this member's own, in all phases the same (their weights are in its core's
    cache), then those that others have not begun. A claim that succeeds holds its phase open, and so the job, whose
    caller cannot return; between claims nothing but the crew's words is touched.
    """
    last = base + phases
    phase = atomic_load(words, PHASE)
    while phase < last:
        for turn in range(threads):
            owner = member + turn if member + turn < threads else member + turn - threads
            for portion in range(owner, portions, threads):
                claim = CLAIMS + portion * LINE
                if turn > 0:
                    spins = 0
                    while spins < GRACE and atomic_load(words, claim) == phase:
                        pause()
                        spins += 1
                if atomic_load(words, claim) == phase and compare_exchange(words, claim, phase, phase + 1):
                    call_kernel(kernel, words_at(block), phase - base, portion)
                    if atomic_add(words, DONE, 1) == portions - 1:
                        atomic_store(words, DONE, 0)
                        atomic_store(words, PHASE, phase + 1)
        # All of this phase is claimed, by threads that are at it.
        wait_until(at(words, PHASE), phase + 1)
        phase = atomic_load(words, PHASE)


def work(address):
    """The life of one worker, as the system starts it: void *work(void *mailbox)."""
    mail = words_at(address)
    control = mail[CONTROL]
    words = words_at(control)
    seen = mail[SEEN]
    while True:
        spins = 0
        while atomic_load(words, EPOCH) == seen:
            spins += 1
            if spins < IDLE_SPINS:
                pause()
                continue
            atomic_store(mail, ASLEEP, 1)
            # Published since the last look: unless the flag has been taken down no wake-up is coming.
            if atomic_load(words, EPOCH) == seen or not compare_exchange(mail, ASLEEP, 1, 0):
                while atomic_load(mail, ASLEEP):
                    sleep(address + SEMAPHORE * 8)
            spins = 0
        epoch = atomic_load(words, EPOCH)
        slot = JOBS + (epoch & 1) * LINE
        kernel, block, base = (
            atomic_load(words, slot + KERNEL),
            atomic_load(words, slot + BLOCK),
            atomic_load(words, slot + BASE),
        )
        phases, portions = atomic_load(words, slot + PHASES), atomic_load(words, slot + PORTIONS)
        threads, cpu = atomic_load(words, slot + THREADS), atomic_load(words, slot + CPU)
        if atomic_load(words, EPOCH) != epoch:
            continue  # another job has come, and the slot may be half written
        seen = epoch
        if kernel == STOP:
            return 0
        member = mail[NUMBER] + 1
        if member < threads:
            step_aside(mail, address, CPU_SET, cpu)
            take_part(words, member, kernel, block, base, phases, portions, threads)


def region(control):
    """What each thread of an OpenMP team runs for a job that has been published: void f(void *control).

    Its threads and a crew's own workers may be at the same job: a portion is whose claim succeeds.
    """
    words = words_at(control)
    slot = JOBS + (words[EPOCH] & 1) * LINE  # the caller is in here too: no other job can come
    member = member_number(control)
    take_part(
        words, member, words[slot + KERNEL], words[slot + BLOCK], words[slot + BASE], words[slot + PHASES],
        words[slot + PORTIONS], words[slot + THREADS],
    )  # fmt: skip
    leave(control, member)


def hire(control, wanted, work):
    """Start workers until there are `wanted`, or the system gives no more; how many there are. work: its address."""
    words = words_at(control)
    while words[WORKERS] < min(wanted, MOST - 1):
        number = words[WORKERS]
        address = control + (MAIL + number * MAILBOX) * 8
        mail = words_at(address)
        mail[CONTROL], mail[NUMBER], mail[SEEN] = control, number, atomic_load(words, EPOCH)
        prepare(address + SEMAPHORE * 8)
        if not start(mail, HANDLE, work, address, control + SIGNALS * 8):
            break
        words[WORKERS] = number + 1
        name(words, SIGNALS, control, mail[HANDLE])
    return words[WORKERS]


def dismiss(control):
    """Take the crew for ever, and return when its workers have ended; done once only. Not for two threads at a time."""
    words = words_at(control)
    if atomic_load(words, RETIRED):
        return
    atomic_store(words, RETIRED, 1)
    while not compare_exchange(words, BUSY, 0, 1):  # a call that is under way ends first
        nap(NAP)
    zero = types.int64(0)
    _publish(words, types.int64(STOP), zero, zero, zero, zero, zero)
    for worker in range(words[WORKERS]):
        mail = MAIL + worker * MAILBOX
        if compare_exchange(words, mail + ASLEEP, 1, 0):
            wake(control + (mail + SEMAPHORE) * 8)
    for worker in range(words[WORKERS]):
        join(words[MAIL + worker * MAILBOX + HANDLE])
    words[WORKERS] = 0
