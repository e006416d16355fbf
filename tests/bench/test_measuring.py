"""The stopwatch, the check, the machine's limits and the roofline."""

from __future__ import annotations

from time import perf_counter, sleep

import numpy as np
import pytest

from fastlstm.bench import check, limits, roofline, timing
from fastlstm.bench.result import Limits, Row, Timing
from fastlstm.bench.workload import Workload


def test_a_short_call_is_timed_in_batches() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1

    found = timing.times(call, 0.02)
    assert len(found) >= 2
    assert calls > 20 * len(found)
    assert 0 < min(found) < 1e-4


def test_a_long_call_is_made_once() -> None:
    calls = []
    begun = perf_counter()
    [found] = timing.times(lambda: calls.append(sleep(0.05)), 0.01)
    assert len(calls) == 1
    assert 0.05 <= found <= perf_counter() - begun


def test_the_first_call_does_not_count() -> None:
    calls = []

    def call() -> None:
        calls.append(None)
        sleep(0.03 if len(calls) == 1 else 0.001)

    assert max(timing.times(call, 0.04)) < 0.03


ARRAYS = {"output": np.array([[1.0, -2.0], [0.5, 0.0]]), "h_n": np.zeros(3)}


@pytest.mark.parametrize(
    ("change", "name", "error"),
    [
        ({}, "output", 0.0),
        ({"output": np.array([[1.0, -2.0], [0.5, 0.1]])}, "output", 0.05),
        ({"h_n": np.full(3, 0.25)}, "h_n", 0.25),
        ({"output": np.full((2, 2), np.nan)}, "output", np.inf),
        ({"output": np.zeros((2, 3))}, "output", np.inf),
        ({"output": None}, "output", np.inf),
    ],
)
def test_the_check_measures_the_worst_deviation(change: dict[str, np.ndarray], name: str, error: float) -> None:
    found = {key: value for key, value in (ARRAYS | change).items() if value is not None}
    errors = check.errors(found, ARRAYS)
    assert errors[name] == pytest.approx(error)
    assert (check.verdict(errors) is None) == (error <= check.TOLERANCE)


def test_the_multiply_add_probe_computes() -> None:
    """Each accumulator becomes x * scale + offset as often as asked: the loop is not optimised away."""
    multiply_add, _ = limits._compiled()
    lanes = limits.host().lanes(np.dtype(np.float32))
    data = np.ones((limits.accumulators() + 2) * lanes, np.float32)
    data[:lanes], data[lanes : 2 * lanes] = 0.5, 3.0
    multiply_add(data, 3)
    np.testing.assert_array_equal(data[2 * lanes :], ((1 * 0.5 + 3) * 0.5 + 3) * 0.5 + 3)


def test_the_reading_probe_reads_everything() -> None:
    _, read = limits._compiled()
    group = limits.READS * limits.host().lanes(np.dtype(np.float32))
    data = np.arange(5 * group, dtype=np.float32).reshape(5, group)
    expected = data.sum(0)
    read(data.reshape(-1), 5, 1)
    np.testing.assert_array_equal(data[0], expected)


def test_limits_are_those_of_a_computer() -> None:
    """Between a small board and a large server, each: an order of magnitude off would mean a wrong count."""
    found = limits.measure(threads=1, seconds=0.3)
    assert 1e9 < found.fma < 1e12
    assert 1e9 < found.l3 < 1e12
    assert 1e9 < found.l2 < 1e12
    assert found.l1_bytes < found.l2_bytes


LIMITS = Limits(fma=100e9, l2=50e9, l3=20e9, l1_bytes=32 << 10, l2_bytes=512 << 10)


@pytest.mark.parametrize(
    ("workload", "threads", "seconds", "what"),
    [
        # 2 * 4*128*256 * 32 * 100 flop
        (Workload("batch", "LSTM", "infer", 100, 32, 128, 128), 1, 2 * 4 * 128 * 256 * 3200 / 100e9, "FMA"),
        # 4*128*128*4 = 262144 bytes of weights: L2
        (Workload("one", "LSTM", "infer", 100, 1, 128, 128), 1, 262144 * 100 / 50e9, "L2"),
        # read again on the way back; the products are 3 times as many and still cheaper than that
        (Workload("one", "LSTM", "train", 100, 1, 128, 128), 1, 2 * 262144 * 100 / 50e9, "L2"),
        # 4 MB of weights, 2 MB for each of two threads
        (Workload("one", "LSTM", "infer", 10, 1, 512, 512), 2, 4194304 * 10 / 20e9, "L3"),
        # 16 KB of weights: in L1, so that only the products count
        (Workload("tiny", "LSTM", "infer", 10, 1, 32, 32), 1, 2 * 4 * 32 * 64 * 10 / 100e9, "FMA"),
    ],
)
def test_the_roofline(workload: Workload, threads: int, seconds: float, what: str) -> None:
    assert roofline.least(workload, LIMITS, threads) == (pytest.approx(seconds), what)
    row = Row(workload, {"fastlstm": Timing([4 * seconds, 2 * seconds], 1.0, 0.0)})
    assert roofline.share(row, "fastlstm", LIMITS, threads) == (pytest.approx(0.5), what)
