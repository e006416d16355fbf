"""What the planner has to know about the GPU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from fastlstm.cuda.shim import SIMULATED, CudaError, cuda_module, device_number, why_not


@dataclass(frozen=True)
class Machine:
    """blocks: that run at the same time, one for each multiprocessor; shared_bytes: that one block can have; threads:
    of a block; lanes: of a warp; registers: of a thread, 32 bits each; cooperative: whether blocks may wait for each
    other; a group of blocks that do so has at most `group` members."""

    blocks: int
    shared_bytes: int
    threads: int
    lanes: int
    registers: int
    cooperative: bool
    group: int


SIMULATOR = Machine(blocks=4, shared_bytes=48 * 1024, threads=8, lanes=4, registers=1024, cooperative=True, group=1)
"""A thread of the simulator is a Python thread, and blocks run one after the other: few threads, groups of one."""

# 8 warps: two for each scheduler of a multiprocessor, and for each thread as many registers as its code can name.
THREADS, REGISTERS = 256, 255


def machine() -> Machine:
    """The current GPU. CudaError where there is none."""
    reason = why_not()
    if reason:
        raise CudaError(reason)
    return SIMULATOR if SIMULATED else _read(device_number())


@cache
def _read(_number: int) -> Machine:
    device = cuda_module().get_current_device()
    count = device.MULTIPROCESSOR_COUNT
    return Machine(
        blocks=count,
        shared_bytes=device.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
        threads=THREADS,
        lanes=device.WARP_SIZE,
        registers=REGISTERS,
        cooperative=bool(device.COOPERATIVE_LAUNCH),
        group=count,
    )
