"""How a launch is cut: everything is covered once, and nothing is asked of the GPU that it does not have."""

from __future__ import annotations

from itertools import product

import pytest

from fastlstm.cuda.machine import SIMULATOR, Machine
from fastlstm.cuda.tile import MOST_TILE_ROWS, choose

H200 = Machine(blocks=132, shared_bytes=227 * 1024, threads=256, lanes=32, cooperative=True, group=132)
SMALL = Machine(blocks=28, shared_bytes=99 * 1024, threads=256, lanes=32, cooperative=True, group=28)
OLD = Machine(blocks=10, shared_bytes=48 * 1024, threads=256, lanes=32, cooperative=False, group=10)
CALLS = list(product((1, 3, 4), (1, 5, 64, 100, 512, 1024, 2048), (1, 3, 16, 64, 257), (1, 2), (4, 8)))


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
            assert 1 <= launch.depth <= K, told
            assert tile.row_threads * tile.sample_threads * tile.depth_threads == tile.threads, told
            assert tile.tile_rows * tile.row_threads == tile.rows, told
            if machine is not SIMULATOR:
                assert tile.tile_rows <= MOST_TILE_ROWS, told
            if launch.persistent:
                assert launch.blocks <= machine.group, told
                assert launch.groups * launch.blocks <= machine.blocks, told


def test_loads_of_a_warp_hit_each_bank_once() -> None:
    for gates, H, B in product((1, 3, 4), (128, 256, 512, 1024), (1, 4, 16, 64)):
        tile = choose(H200, gates, H, H, B, 1, 4).tile
        if tile.row_threads * tile.depth_threads < tile.lanes:
            continue  # a warp has several samples, which read the same weights
        banks = {
            (lane // tile.row_threads * tile.weights_ld + lane % tile.row_threads) % 32 for lane in range(tile.lanes)
        }
        assert len(banks) == 32, tile


def test_weights_stay_in_shared_memory_where_they_fit() -> None:
    assert choose(H200, 4, 1024, 1024, 16, 1, 4).persistent
    assert choose(H200, 4, 1024, 1024, 16, 1, 4).resident
    assert choose(H200, 1, 1024, 4096, 16, 1, 4).resident
    assert choose(H200, 4, 5, 5, 3, 2, 4).resident
    assert not choose(H200, 4, 2048, 2048, 16, 1, 4).resident
    assert not choose(SMALL, 4, 1024, 1024, 1, 1, 4).resident
    assert "one launch for each step" in choose(OLD, 4, 64, 64, 1, 1, 4).reason
