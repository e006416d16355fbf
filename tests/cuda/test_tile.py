"""How a launch is cut: everything is covered once, and nothing is asked of the GPU that it does not have."""

from __future__ import annotations

from itertools import product

import pytest

from fastlstm.cuda.machine import SIMULATOR, Machine
from fastlstm.cuda.tile import MOST_PAIRS, QUAD, Launch, _launches, choose

H200 = Machine(blocks=132, shared_bytes=227 * 1024, threads=256, lanes=32, registers=255, cooperative=True, group=132)
SMALL = Machine(blocks=28, shared_bytes=99 * 1024, threads=256, lanes=32, registers=255, cooperative=True, group=28)
OLD = Machine(blocks=10, shared_bytes=48 * 1024, threads=256, lanes=32, registers=255, cooperative=False, group=10)
CALLS = list(product((1, 3, 4), (1, 5, 100, 512, 2048), (1, 3, 64, 257), (1, 2), (4, 8)))


@pytest.mark.parametrize("machine", [H200, SMALL, OLD, SIMULATOR], ids=["H200", "small", "old", "simulator"])
def test_a_launch_fits_the_machine_and_covers_the_work(machine: Machine) -> None:
    for gates, H, B, D, itemsize in CALLS:
        for rows, outputs, K in ((gates, H, H), (1, H, gates * H)):
            if machine is SIMULATOR and H > 100:
                continue
            launch = choose(machine, rows, outputs, K, B, D, itemsize)
            tile = launch.tile
            told = f"{gates=} {H=} {B=} {D=} {itemsize=} {launch}"
            assert launch.persistent <= machine.cooperative, told
            assert launch.shared_bytes <= machine.shared_bytes, told
            assert launch.blocks * tile.units >= outputs > (launch.blocks - 1) * tile.units, told
            slices = launch.groups // D
            assert slices * D == launch.groups, told
            assert slices * launch.share >= B > (slices - 1) * launch.share, told
            assert tile.depth % QUAD == 0, told
            assert tile.buffers == (1 if tile.depth >= K else 2), told
            assert tile.row_threads * tile.sample_threads * tile.depth_threads == tile.threads, told
            assert tile.tile_rows * tile.row_threads == tile.rows, told
            assert tile.pairs <= MOST_PAIRS, told
            assert tile.inputs_held * tile.threads >= tile.samples * tile.depth, told
            assert tile.resident or QUAD * tile.weights_held * tile.threads >= tile.rows * tile.depth, told
            if launch.persistent:
                assert launch.blocks <= machine.group, told
                assert launch.groups * launch.blocks <= machine.blocks, told


def test_batches_up_to_the_same_power_of_two_share_a_tile() -> None:
    for H in (20, 128, 512):
        assert len({choose(H200, 4, H, H, B, 1, 4).tile for B in range(33, 65)}) == 1


def banks(fours: list[int]) -> int:
    """Loads of 128 bytes for 16 bytes at each of these places, which are counted in 16 bytes."""
    counts = [0] * 8
    for place in set(fours):
        counts[place % 8] += 1
    return max(counts)


def test_a_warp_meets_no_bank_more_often_than_it_must() -> None:
    """Weights exactly; inputs, whose distance is odd for the sake of the stores, at most twice as often."""
    for gates, H, B in product((1, 3, 4), (128, 256, 512, 1024), (1, 4, 16, 64)):
        tile = choose(H200, gates, H, H, B, 1, 4).tile
        weights, inputs = [], []
        for lane in range(tile.lanes):
            rg, sg = lane % tile.row_threads, lane // tile.row_threads % tile.sample_threads
            ks = lane // (tile.row_threads * tile.sample_threads)
            weights.append(ks * tile.weights_ld + rg)
            inputs.append(ks * tile.inputs_ld + sg)
        assert banks(weights) == -(-len(set(weights)) // 8), tile
        assert banks(inputs) <= 2 * -(-len(set(inputs)) // 8), tile
        stored = [k // QUAD * tile.inputs_ld * QUAD + k % QUAD for k in range(tile.lanes)]
        assert len({place % 32 for place in stored}) == tile.lanes, tile


def test_weights_stay_in_shared_memory_where_they_fit() -> None:
    def launch(machine: Machine, *call: int) -> Launch:
        return choose(machine, *call, 1, 4)

    assert launch(H200, 4, 1024, 1024, 16).persistent
    assert launch(H200, 4, 1024, 1024, 16).tile.resident
    assert launch(H200, 1, 1024, 4096, 16).tile.resident
    assert launch(H200, 4, 5, 5, 3).tile.resident
    assert not launch(H200, 4, 2048, 2048, 16).tile.resident
    assert not launch(SMALL, 4, 1024, 1024, 1).tile.resident
    assert "one launch for each step" in launch(OLD, 4, 64, 64, 1).reason


def test_a_batch_is_shared_among_groups_where_that_is_faster() -> None:
    """Fewer samples in each block are less to read in each step; all blocks for the units of one would be more."""
    launch = choose(H200, 4, 512, 512, 64, 1, 4)
    assert launch.groups > 1
    assert launch.tile.units * launch.blocks >= 512
    crowded = [one for one in _launches(H200, 4, 512, 512, 64, 1, 4, True) if one.groups == 1]
    assert crowded
    assert launch.clocks < min(one.clocks for one in crowded)
