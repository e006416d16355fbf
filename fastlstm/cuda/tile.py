"""How one launch is cut: into blocks of units and samples, and within a block into register tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from fastlstm.cuda.machine import Machine

# k that a thread takes together: in float32 one load of 16 bytes, the widest there is. A warp's loads from shared
# memory then cost a fourth, and four multiply-adds share one address.
QUAD = 4
# Rows of weights, samples, and pairs of unit and sample in one thread's registers.
TILE_ROWS, TILE_SAMPLES, MOST_PAIRS = range(1, 13), (1, 2, 4, 8), 2
# Registers of a thread that are not for sums, weights and what is on its way to shared memory. Of the latter each
# number needs three, itself and its address, and together they may have a bit less than half of the rest. With more,
# ptxas spills.
RESERVED, HELD, MOST_HELD = 105, 3, 0.34
UNITS = (2, 4, 8, 16, 32, 64)
DEPTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

# Clocks of a multiprocessor of Hopper and Ampere; none measured by us.
# 128 multiply-adds and 128 bytes of shared memory in a clock: CUDA C++ Programming Guide, "Arithmetic Instructions".
ADDS, SHARED_BYTES = 128, 128
# What a multiprocessor reads from the second-level cache while all others do, of about 5.5 TB/s for all of an H100:
# Chips and Cheese, "Nvidia's H100: Funny L2, and Tons of Bandwidth" (2023).
CACHE_BYTES = 24
# A load from there (260 of them), three barriers of the block, the activations: for every pass over a step's samples.
PASS = 900
# A barrier of the block, and what of a loop does not multiply: for every depth that is staged.
STAGE = 60
# Instructions for every number that a thread brings from there to shared memory: counted in what nvdisasm prints.
BROUGHT = 12
# What of the shorter of reading and multiplying is not hidden behind the longer one: a guess.
OVERLAP = 0.2
# Instructions for four k beside loads and multiply-adds.
LOOP = 8
# What every member of a group adds to a barrier between blocks: atomics on one address follow each other.
MEMBER = 4
# A launch of its own for each step: 7 us at least.
LAUNCH = 12000


@dataclass(frozen=True)
class Tile:
    """What a kernel is compiled for. A block computes rows = gates * units rows of the product for its samples.

    Each thread has `tile_rows` rows and `tile_samples` samples, for every `depth_threads`-th four of k. depth: k that
    are staged in shared memory at once; buffers: 2 where the next are on their way meanwhile; resident: the weights
    stay in shared memory for a whole launch.
    """

    gates: int
    units: int
    row_threads: int
    tile_samples: int
    sample_threads: int
    threads: int
    lanes: int
    depth: int
    buffers: int
    resident: bool

    @property
    def rows(self) -> int:
        return self.gates * self.units

    @property
    def tile_rows(self) -> int:
        return self.rows // self.row_threads

    @property
    def samples(self) -> int:
        """That a block multiplies at once."""
        return self.tile_samples * self.sample_threads

    @property
    def depth_threads(self) -> int:
        return self.threads // (self.row_threads * self.sample_threads)

    @property
    def pairs(self) -> int:
        """Of unit and sample, that one thread has."""
        return -(-self.units * self.samples // self.threads)

    @property
    def inputs_held(self) -> int:
        """Numbers of one stage of the inputs that one thread has in its registers."""
        return -(-self.samples * self.depth // self.threads)

    @property
    def weights_held(self) -> int:
        """The same of the weights, in fours of k; 0 where they are resident."""
        return 0 if self.resident else -(-self.rows_span * self.depth // QUAD // self.threads)

    @property
    def rows_span(self) -> int:
        """Threads next to each other that have a row each: a power of two."""
        return 1 << (self.rows - 1).bit_length()

    @property
    def weights_ld(self) -> int:
        """Distance, in fours, of the weights of two fours of k: threads of a warp that differ in k alone meet other
        banks, of which there are eight of 16 bytes."""
        return self.rows + (self.row_threads - self.rows) % 8

    @property
    def inputs_ld(self) -> int:
        """The same for the inputs. Odd, so that 32 threads that store 32 k of one sample meet all banks."""
        return self.samples | 1

    @property
    def partial_ld(self) -> int:
        return self.depth_threads | 1

    @property
    def passing(self) -> int:
        """Elements of shared memory for the inputs, in whose place the threads' sums come later."""
        return max(self.buffers * self.depth * self.inputs_ld, self.rows * self.samples * self.partial_ld)

    def weights(self, K: int) -> int:
        """Elements of shared memory for the weights."""
        return (padded(K) if self.resident else self.buffers * self.depth) * self.weights_ld

    def elements(self, K: int) -> int:
        """Of shared memory: weights, inputs, and the whole sums."""
        return self.weights(K) + self.passing + self.rows * self.samples

    def product_clocks(self, K: int, itemsize: int) -> float:
        """Least time of a block's product: its instructions, or the loads from shared memory for them."""
        apart = max(1, self.lanes // (self.row_threads * self.sample_threads))  # lanes of a warp that differ in k
        quad = QUAD * itemsize
        loads = sum(
            each * max(1.0, quad * apart * min(others, self.lanes) / SHARED_BYTES)
            for each, others in ((self.tile_rows, self.row_threads), (self.tile_samples, self.sample_threads))
        )
        adds = QUAD * self.tile_rows * self.tile_samples * itemsize // 4
        issued = (adds + self.tile_rows + self.tile_samples + LOOP) * self.lanes / ADDS
        turns = -(-K // (QUAD * self.depth_threads))
        return self.threads / self.lanes * turns * max(loads, issued)

    def pass_clocks(self, K: int, itemsize: int) -> float:
        """Time of one pass over `samples` samples of a step."""
        stages = -(-K // self.depth)
        read = min(K, self.depth) * itemsize * (self.samples + (0 if self.resident else self.rows)) / CACHE_BYTES
        brought = (self.inputs_held + QUAD * self.weights_held) * BROUGHT * self.threads / ADDS
        multiply = self.product_clocks(K, itemsize) / stages + brought
        outputs = self.rows * self.samples
        written = outputs * self.depth_threads * itemsize / SHARED_BYTES
        summed = -(-outputs // self.threads) * self.depth_threads * 6  # a load and a dependent addition
        both = max(read, multiply) + OVERLAP * min(read, multiply)
        return PASS + stages * STAGE + read + (stages - 1) * both + multiply + written + summed


@dataclass(frozen=True)
class Launch:
    """One kernel's grid: `blocks` share the units of one group; a group has one direction and `share` samples.

    persistent: one launch for the whole sequence, else one for each step; clocks: what a step should take, without the
    latency of a barrier between blocks.
    """

    tile: Tile
    blocks: int
    groups: int
    share: int
    persistent: bool
    shared_bytes: int
    clocks: float

    @property
    def reason(self) -> str:
        """Why so, in words."""
        kept = "stay in shared memory" if self.tile.resident else "are read in every step"
        return f"one launch for {'the sequence' if self.persistent else 'each step'}, weights {kept}"


@lru_cache(1024)
def choose(
    machine: Machine, gates: int, units: int, K: int, B: int, D: int, itemsize: int, persistent: bool | None = None
) -> Launch:
    """The launch of a product of `units` outputs with `gates` rows each, depth K, B samples, D directions, in which a
    step should take the fewest clocks.

    The tile is that of the next power of two of B, so that few are compiled where batches differ. `persistent` forces
    one launch for the sequence (True) or one for each step (False). ValueError where a block has too little shared
    memory for it.
    """
    found: list[Launch] = []
    for whole in ways(machine, persistent):
        found += _launches(machine, gates, units, K, B, D, itemsize, whole)
    if not found:
        raise ValueError(f"a block has {machine.shared_bytes} bytes of shared memory, too few for {units} units")
    return min(found, key=lambda launch: launch.clocks)


def _launches(
    machine: Machine, gates: int, units: int, K: int, B: int, D: int, itemsize: int, persistent: bool
) -> Iterator[Launch]:
    """All that this machine can run."""
    planned = 1 << (B - 1).bit_length()
    for tile, each, shared in tiles(machine, gates, K, itemsize, persistent):
        blocks = -(-units // tile.units)
        # Blocks of a group wait for each other, so that all groups must run at once.
        most = machine.blocks // (D * blocks) if persistent and blocks <= machine.group else 0
        if persistent and not most:
            continue
        share, planned_share = (
            -(-number // min(most, number)) if persistent else tile.samples for number in (B, planned)
        )
        groups = D * -(-B // share)
        waves = 1 if persistent else -(-blocks * D * -(-planned // planned_share) // machine.blocks)
        passes = -(-planned_share // tile.samples)
        clocks = waves * passes * each + (MEMBER * blocks if persistent else LAUNCH)
        yield Launch(tile, blocks, groups, share, persistent, shared, clocks)


@lru_cache(256)
def tiles(machine: Machine, gates: int, K: int, itemsize: int, persistent: bool) -> list[tuple[Tile, float, int]]:
    """All tiles that fit in registers and shared memory, the clocks of a pass, and the bytes of shared memory."""
    found, words, room = [], itemsize // 4, machine.registers - RESERVED
    powers = [1 << n for n in range(machine.threads.bit_length())]
    depths = [depth for depth in DEPTHS if depth < 2 * K] or DEPTHS[:1]
    for units, rows, tile_samples, sample_threads in product(UNITS, TILE_ROWS, TILE_SAMPLES, powers):
        row_threads, over = divmod(gates * units, rows)
        if over or row_threads not in powers or row_threads * sample_threads > machine.threads:
            continue
        sums = rows * (tile_samples + QUAD) * words
        for depth, resident in product(depths, (True, False) if persistent else (False,)):
            buffers = 1 if depth >= K else 2
            lanes = (machine.threads, machine.lanes)
            tile = Tile(gates, units, row_threads, tile_samples, sample_threads, *lanes, depth, buffers, resident)
            shared = tile.elements(K) * itemsize
            held = HELD * (tile.inputs_held + QUAD * tile.weights_held) * words
            fits = shared <= machine.shared_bytes
            if fits and tile.pairs <= MOST_PAIRS and held <= MOST_HELD * room and sums + held <= room:
                found.append((tile, tile.pass_clocks(K, itemsize), shared))
    return found


def ways(machine: Machine, persistent: bool | None) -> tuple[bool, ...]:
    """What to consider: launches for the whole sequence, for each step, or what `persistent` says."""
    if persistent is not None:
        return (persistent,)
    return (True, False) if machine.cooperative else (False,)


def padded(K: int) -> int:
    """K up to whole fours."""
    return -(-K // QUAD) * QUAD
