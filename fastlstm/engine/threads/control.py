"""Where things stand in a control block, the int64 words that the threads of one crew share.

A word that several threads write has a cache line (8 words) of its own. README.md says who may write which, and when.
"""

LINE = 8
MOST = 1024  # threads of a crew, the caller's included, and portions of a phase; untouched memory costs nothing

# written by callers
BUSY = 0  # 1 while a caller has the crew
RETIRED = 1  # 1 from the moment that the crew is being stopped, for ever
WORKERS = 2  # how many have been started
MISSED = 3  # calls with little work that found workers asleep
EPOCH = LINE  # how many jobs have been published

# written by whoever works
PHASE = 2 * LINE  # number of the phase that is being done; it never goes back
DONE = PHASE + 1  # portions of it that are done

# two job slots that take turns: epoch e is described in slot e & 1
JOBS = 3 * LINE
KERNEL, BLOCK, BASE, PHASES, PORTIONS, THREADS, CPU = range(7)
STOP = 0  # as a kernel: the workers end

CLAIMS = 5 * LINE  # a line for each portion: number of the next phase of which nobody has begun it

# a mailbox for each worker
MAIL = CLAIMS + MOST * LINE
CONTROL, NUMBER, SEEN, HANDLE = range(4)  # the crew's address, this worker's number, the epoch it began at, pthread_t
ASLEEP = LINE
SEMAPHORE = 2 * LINE  # sem_t: 32 bytes on 64-bit Linux
CPU_SET = 3 * LINE
CPU_SET_BYTES = 128  # 1024 CPUs
MAILBOX = CPU_SET + CPU_SET_BYTES // 8

SIGNALS = MAIL + (MOST - 1) * MAILBOX  # two sigset_t of 128 bytes, while workers are started

# another library's OpenMP team, where there is one: addresses of GOMP_parallel (0 without a team), of what tells a
# thread's number, and of what its threads run; when it was last used and when the caller left its work, in ns; calls
# left until it is asked again, and how many these were; a timespec
TEAM = SIGNALS + 2 * 16
FORK, OMP_NUMBER, REGION, USED, LEFT, AVOIDED, AVOID, CLOCK = range(TEAM, TEAM + 8)
WORDS = TEAM + 2 * LINE
