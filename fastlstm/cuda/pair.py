"""How a launch is cut in which a step has two products, one behind the other: a layer with a projection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from fastlstm.cuda.machine import Machine
from fastlstm.cuda.tile import LAUNCH, MEMBER, QUAD, UNITS, Launch, Tile, tiles, ways

# What a thread has less for one product than in a kernel with one alone: with more, ptxas spills.
OTHERS_REGISTERS = 30


@dataclass(frozen=True)
class Product:
    """`units` outputs with `gates` rows each, depth K."""

    gates: int
    units: int
    K: int

    @property
    def size(self) -> int:
        return self.gates * self.units * self.K


@dataclass(frozen=True)
class Pair:
    """launch: the grid, and the first product's tile; second: the second's; behind: where in shared memory that begins,
    in fours."""

    launch: Launch
    second: Tile
    behind: int


@lru_cache(256)
def choose_pair(
    machine: Machine, first: Product, second: Product, B: int, D: int, itemsize: int, persistent: bool | None = None
) -> Pair:
    """The pair in which a step should take the fewest clocks; arguments else as for `tile.choose`.

    Shared memory is parted as the products' sizes are. ValueError where a block has too little of it.
    """
    found: list[Pair] = []
    for whole in ways(machine, persistent):
        found += _pairs(machine, first, second, B, D, itemsize, whole)
    if not found:
        raise ValueError(f"a block has {machine.shared_bytes} bytes of shared memory, too few for a projection")
    return min(found, key=lambda pair: pair.launch.clocks)


def _pairs(
    machine: Machine, first: Product, second: Product, B: int, D: int, itemsize: int, persistent: bool
) -> Iterator[Pair]:
    """The best for each cut into blocks and shares."""
    fours = machine.shared_bytes // (QUAD * itemsize)
    first_fours = fours * first.size // (first.size + second.size)
    parts = [
        replace(machine, shared_bytes=room * QUAD * itemsize, registers=machine.registers - OTHERS_REGISTERS)
        for room in (first_fours, fours - first_fours)
    ]
    for blocks, share, planned_share, waves in _cuts(machine, first, second, B, D, persistent):
        chosen = [
            _best(part, each, blocks, planned_share, itemsize, persistent)
            for each, part in zip((first, second), parts, strict=True)
        ]
        if not all(chosen):
            continue
        (cost, tile), (second_cost, second_tile) = filter(None, chosen)
        clocks = waves * (cost + second_cost) + 2 * (MEMBER * blocks if persistent else LAUNCH)
        behind = -(-tile.elements(first.K) // QUAD)
        shared_bytes = (behind * QUAD + second_tile.elements(second.K)) * itemsize
        groups = D * -(-B // share)
        yield Pair(Launch(tile, blocks, groups, share, persistent, shared_bytes, clocks), second_tile, behind)


def _cuts(
    machine: Machine, first: Product, second: Product, B: int, D: int, persistent: bool
) -> Iterator[tuple[int, int, int, int]]:
    """Blocks of a group, samples of one, the same for the next power of two of B, and how often blocks take turns."""
    planned = 1 << (B - 1).bit_length()
    for blocks in sorted({-(-each.units // units) for each in (first, second) for units in UNITS}):
        if persistent:  # all at once
            most = machine.blocks // (D * blocks) if blocks <= machine.group else 0
            if most:
                yield blocks, -(-B // min(most, B)), -(-planned // min(most, planned)), 1
        else:
            for share in (1 << n for n in range(planned.bit_length())):
                yield blocks, share, share, -(-blocks * D * (planned // share) // machine.blocks)


@lru_cache(4096)
def _best(
    machine: Machine, each: Product, blocks: int, share: int, itemsize: int, persistent: bool
) -> tuple[float, Tile] | None:
    """Clocks and tile of the fastest that gives each of the blocks its units."""
    costs = [
        (-(-share // tile.samples) * clocks, tile)
        for tile, clocks, _ in tiles(machine, each.gates, each.K, itemsize, persistent)
        if -(-each.units // tile.units) <= blocks
    ]
    return min(costs, key=lambda cost: cost[0], default=None)
