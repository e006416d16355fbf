"""Where things stand in a control block, the int64 words that a pool's threads share.

A word that several threads write has a cache line (8 words) of its own.
"""

LINE = 8
# A lock; how many calls with little work found threads asleep; the barrier's two words; how many workers are done.
BUSY, MISSED, BARRIER, DONE = 0, 1, LINE, 2 * LINE

# Our own workers have mailboxes from MAIL on. One mailbox: how many jobs were posted, the last one's kernel and block,
# its thread number, the CPU it was posted on; whether the worker sleeps; its semaphore (sem_t: 32 bytes on 64-bit
# Linux); a set of CPUs (128 bytes: 1024 CPUs).
MAIL = 3 * LINE
POSTED, KERNEL, BLOCK, THREAD, CPU, ASLEEP, SEMAPHORE, CPU_SET = 0, 1, 2, 3, 4, LINE, 2 * LINE, 3 * LINE
CPU_SET_BYTES = 128
MAILBOX = CPU_SET + CPU_SET_BYTES // 8

# An OpenMP team instead: addresses of GOMP_parallel (0 without a team), of what tells a thread's number and the team's
# size, and of our region; when the team was last used, in ns; a job: kernel, blocks, their number, threads; a timespec.
FORK, NUMBER, SIZE, REGION, USED = 2, 3, 4, 5, 6
TEAM_KERNEL, TEAM_BLOCKS, TEAM_COUNT, TEAM_THREADS, CLOCK = MAIL, MAIL + 1, MAIL + 2, MAIL + 3, MAIL + 4
TEAM_WORDS = MAIL + LINE
