"""How one launch is cut: into blocks of units and samples, and within a block into register tiles."""

from __future__ import annotations

from dataclasses import dataclass

from fastlstm.cuda.machine import Machine

# Rows of weights and samples in one thread's registers. With 8 by 4 a thread loads 12 numbers from shared memory for 32
# multiply-adds: a multiprocessor's 128 lanes load 32 numbers and multiply 128 in a clock.
TILE_ROWS, TILE_SAMPLES = 8, 4
# Samples that a block multiplies at once: 16 need no more than 35 KB for partial sums.
MOST_SAMPLE_THREADS = 4
# The least depth worth a stage of its own: two barriers of the block for so many rows.
LEAST_DEPTH = 32
# With more rows, and 4 samples, the sums would fill all 255 registers of a thread.
MOST_TILE_ROWS = 2 * TILE_ROWS
# Where blocks do not wait for each other their number is free: units of one block then.
UNITS_PER_STEP_BLOCK = 16


@dataclass(frozen=True)
class Tile:
    """What a kernel is compiled for. A block computes rows = gates * units rows of the product for its samples.

    Each thread has `rows / row_threads` rows and `tile_samples` samples, for every `depth_threads`-th k.
    """

    gates: int
    units: int
    row_threads: int
    tile_samples: int
    sample_threads: int
    threads: int
    lanes: int

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
    def weights_ld(self) -> int:
        """Distance of the weights of two k: an odd multiple of row_threads: a warp's loads hit each bank once."""
        return self.rows + self.row_threads * (self.tile_rows % 2 == 0)

    @property
    def inputs_ld(self) -> int:
        return self.samples | 1

    @property
    def partial_ld(self) -> int:
        return self.depth_threads | 1

    @property
    def fixed(self) -> int:
        """Elements for partial and whole sums."""
        return self.rows * self.samples * (self.partial_ld + 1)


@dataclass(frozen=True)
class Launch:
    """One kernel's grid: `blocks` share the units of one group; a group has one direction and `share` samples.

    resident: the weights stay in shared memory; persistent: one launch for the whole sequence, else one for each step;
    depth: k staged at once; reason: why so, in words.
    """

    tile: Tile
    blocks: int
    groups: int
    share: int
    depth: int
    resident: bool
    persistent: bool
    shared_bytes: int
    reason: str


def choose(
    machine: Machine, gates: int, units: int, K: int, B: int, D: int, itemsize: int, persistent: bool | None = None
) -> Launch:
    """The launch of a product of `units` outputs with `gates` rows each, depth K, B samples, D directions.

    `persistent` forces one launch for the sequence (True) or one for each step (False). ValueError where a block has
    too little shared memory for it.
    """
    launch = None
    if persistent or (persistent is None and machine.cooperative and machine.blocks >= D):
        # Directions share the multiprocessors; a group's blocks wait for each other, so all of them must run at once.
        members = min(machine.group, machine.blocks // D)
        launch = _cut(machine, gates, units, -(-units // members), K, B, D, itemsize, True)
        if (
            persistent is None
            and launch
            and (launch.tile.tile_rows > MOST_TILE_ROWS or launch.depth < min(K, LEAST_DEPTH))
        ):
            launch = None
    if launch is None and not persistent:
        few = min(units, UNITS_PER_STEP_BLOCK)
        launch = _cut(machine, gates, units, few, K, B, D, itemsize, False)
    if launch is None:
        raise ValueError(f"a block has {machine.shared_bytes} bytes of shared memory, too few for {units} units")
    return launch


def _cut(
    machine: Machine, gates: int, units: int, least: int, K: int, B: int, D: int, itemsize: int, persistent: bool
) -> Launch | None:
    """The launch with blocks of at least `least` units, or None where their sums do not fit in shared memory."""
    per_block = _up(least, 4 if least <= 8 else 8 if least <= 32 else 16)
    blocks = -(-units // per_block)
    slices = max(1, min(machine.blocks // (D * blocks), -(-B // TILE_SAMPLES)))
    share = max(1, -(-B // slices))
    tile = _tile(machine, gates, per_block, share)
    room = machine.shared_bytes // itemsize - tile.fixed
    while room < LEAST_DEPTH * (tile.weights_ld + tile.inputs_ld) and tile.samples > 1:
        tile = _tile(machine, gates, per_block, tile.samples // 2)
        room = machine.shared_bytes // itemsize - tile.fixed
    left = room - K * tile.weights_ld
    resident = persistent and left >= min(K, LEAST_DEPTH) * tile.inputs_ld
    depth = min(K, left // tile.inputs_ld if resident else room // (tile.weights_ld + tile.inputs_ld))
    if depth < 1:
        return None
    elements = tile.fixed + depth * tile.inputs_ld + (K if resident else depth) * tile.weights_ld
    kept = "stay in shared memory" if resident else "are read in every step"
    reason = f"one launch for {'the sequence' if persistent else 'each step'}, weights {kept}"
    groups = D * -(-B // share)
    return Launch(tile, blocks, groups, share, depth, resident, persistent, elements * itemsize, reason)


def _tile(machine: Machine, gates: int, units: int, share: int) -> Tile:
    rows = gates * units
    tile_samples = 1 if share == 1 else 2 if share == 2 else TILE_SAMPLES
    sample_threads = _power(min(MOST_SAMPLE_THREADS, -(-share // tile_samples)))
    row_threads = min(_power(max(1, rows // TILE_ROWS)), machine.lanes, machine.threads // sample_threads)
    while rows % row_threads:
        row_threads //= 2
    return Tile(gates, units, row_threads, tile_samples, sample_threads, machine.threads, machine.lanes)


def _power(n: int) -> int:
    """The largest power of two up to n."""
    return 1 << (n.bit_length() - 1)


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
