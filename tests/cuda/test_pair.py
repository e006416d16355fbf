"""How a launch with two products is cut: both are covered, and nothing is asked of the GPU that it does not have."""

from __future__ import annotations

from itertools import product

import pytest

from fastlstm.cuda.machine import SIMULATOR, Machine
from fastlstm.cuda.pair import Product, choose_pair
from fastlstm.cuda.tile import QUAD, choose

H200 = Machine(blocks=132, shared_bytes=227 * 1024, threads=256, lanes=32, registers=255, cooperative=True, group=132)
SMALL = Machine(blocks=28, shared_bytes=99 * 1024, threads=256, lanes=32, registers=255, cooperative=True, group=28)
OLD = Machine(blocks=10, shared_bytes=48 * 1024, threads=256, lanes=32, registers=255, cooperative=False, group=10)
SIZES = [(5, 2), (64, 63), (100, 1), (512, 8), (1024, 512), (2048, 512)]


def products(H: int, P: int) -> list[tuple[Product, Product]]:
    """Of an LSTM, forward and backward."""
    return [(Product(4, H, P), Product(1, P, H)), (Product(1, P, 4 * H), Product(1, H, P))]


@pytest.mark.parametrize("machine", [H200, SMALL, OLD, SIMULATOR], ids=["H200", "small", "old", "simulator"])
def test_a_launch_fits_the_machine_and_covers_both_products(machine: Machine) -> None:
    for (H, P), B, D, itemsize in product(SIZES, (1, 3, 64), (1, 2), (4, 8)):
        if machine is SIMULATOR and H > 100:
            continue
        for first, second in products(H, P):
            pair = choose_pair(machine, first, second, B, D, itemsize)
            launch = pair.launch
            told = f"{H=} {P=} {B=} {D=} {itemsize=} {pair}"
            assert launch.blocks * launch.tile.units >= first.units, told
            assert launch.blocks * pair.second.units >= second.units, told
            idle = launch.blocks - 1
            assert idle * launch.tile.units < first.units or idle * pair.second.units < second.units, told
            slices = launch.groups // D
            assert slices * D == launch.groups, told
            assert slices * launch.share >= B > (slices - 1) * launch.share, told
            assert pair.behind * QUAD >= launch.tile.elements(first.K), told
            assert (pair.behind * QUAD + pair.second.elements(second.K)) * itemsize == launch.shared_bytes, told
            assert launch.shared_bytes <= machine.shared_bytes, told
            assert launch.persistent <= machine.cooperative, told
            if launch.persistent:
                assert launch.blocks <= machine.group, told
                assert launch.groups * launch.blocks <= machine.blocks, told


def test_weights_stay_in_shared_memory_where_they_fit() -> None:
    for first, second in products(1024, 512):
        pair = choose_pair(H200, first, second, 16, 1, 4)
        assert pair.launch.persistent, pair
        assert pair.launch.tile.resident, pair
        assert pair.second.resident, pair
        assert not choose_pair(OLD, first, second, 16, 1, 4).launch.persistent
        assert not choose_pair(SMALL, first, second, 16, 1, 4).launch.tile.resident


def test_a_step_costs_more_than_its_products_alone() -> None:
    """Each has less shared memory and fewer registers than in a launch of its own."""
    for first, second in products(1024, 512):
        alone = sum(choose(H200, each.gates, each.units, each.K, 16, 1, 4).clocks for each in (first, second))
        assert choose_pair(H200, first, second, 16, 1, 4).launch.clocks >= alone


def test_a_machine_with_too_little_memory_is_refused() -> None:
    first, second = products(5, 2)[0]
    tiny = Machine(blocks=4, shared_bytes=64, threads=8, lanes=4, registers=255, cooperative=True, group=1)
    with pytest.raises(ValueError, match="a block has 64 bytes of shared memory, too few for a projection"):
        choose_pair(tiny, first, second, 1, 1, 8)
