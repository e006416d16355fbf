"""What the planner chooses for calls of all sorts, and that layers which follow each other do wait."""

import numpy as np
import pytest
from fastlstm_lint.contract import Layer

from fastlstm.engine import Engine, get_num_threads, set_num_threads
from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import CHUNK_ROWS, CHUNKS_PER_THREAD, Sizes, choose, shortest_chunk
from fastlstm.engine.weights import Weights
from fastlstm.spec import INFERENCE, Call

FLOAT32 = np.dtype(np.float32)


def _chosen(config: Layer, sizes: Sizes) -> tuple[str, int, int, str]:
    layout = Layout(config, FLOAT32)
    return choose(layout, sizes, Weights(layout))


LONG = 2 * CHUNK_ROWS * CHUNKS_PER_THREAD  # steps that two threads can follow each other through, one sample


@pytest.mark.parametrize(
    ("config", "T", "B", "threads", "expected"),
    [
        (Layer("LSTM", 5, 6), 10, 2, 1, ("batch", 1, 1)),
        (Layer("LSTM", 5, 6), 1, 1, 2, ("batch", 1, 1)),  # less than a second thread costs
        (Layer("LSTM", 128, 128), 50, 32, 2, ("batch", 2, 2)),
        (Layer("LSTM", 128, 128), 50, 32, 4, ("batch", 4, 4)),
        (Layer("LSTM", 128, 128, bidirectional=True), 50, 1, 2, ("batch", 2, 1)),
        (Layer("LSTM", 128, 128, bidirectional=True), 50, 8, 4, ("batch", 4, 2)),
        (Layer("LSTM", 128, 128), 100, 1, 2, ("units", 2, 1)),
        (Layer("LSTM", 128, 128, 2), LONG, 1, 2, ("layers", 2, 1)),
        (Layer("LSTM", 128, 128, 2), LONG - 1, 1, 2, ("units", 2, 1)),  # too short to fill the wavefront
        (Layer("LSTM", 128, 128, 3), LONG, 1, 2, ("units", 2, 1)),  # one thread would have two layers
        (Layer("LSTM", 128, 256, 2), LONG, 1, 2, ("units", 2, 1)),  # 1 MB of weights in each core's cache
        (Layer("LSTM", 128, 256, 2), LONG, 32, 2, ("batch", 2, 2)),
        (Layer("LSTM", 128, 128, proj_size=64), 100, 1, 2, ("batch", 1, 1)),
        (Layer("LSTM", 64, 128, 2, proj_size=64), LONG, 1, 2, ("layers", 2, 1)),
        (Layer("RNN", 16, 16), LONG, 1, 2, ("batch", 1, 1)),  # a step is shorter than a barrier
    ],
    ids=str,
)
def test_the_choice(config: Layer, T: int, B: int, threads: int, expected: tuple[str, int, int]) -> None:
    split, used, slices, reason = _chosen(config, Sizes(T, B, False, threads))
    assert (split, used, slices) == expected
    assert reason


def test_a_forced_choice_is_taken_where_it_can_be() -> None:
    plain, projected = Layer("LSTM", 8, 16, 2), Layer("LSTM", 8, 16, 2, proj_size=4)
    both = Layer("LSTM", 8, 16, 2, bidirectional=True)
    chosen = {
        (name, split): _chosen(config, Sizes(3, 4, False, 2, split=split))[0]
        for name, config in (("plain", plain), ("projected", projected), ("both", both))
        for split in ("batch", "units", "layers")
    }
    assert all(chosen["plain", split] == split for split in ("batch", "units", "layers"))
    assert chosen["projected", "units"] == "batch"  # a projection needs all units of a step
    assert chosen["both", "layers"] == "batch"  # the backward direction needs the last step first


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("train", [False, True])
def test_a_layer_waits_for_the_one_below(train: bool, threads: int) -> None:
    """Narrow layers above a wide input: the first is by far the slowest, and the others would overtake it."""
    config = Layer("LSTM", 400, 8, 3)
    draw = np.random.default_rng(0)
    parameters = {
        name: draw.standard_normal([axis.size for axis in shape]).astype(np.float32) / 8
        for name, shape in config.parameters().items()
    }
    engines = [Engine(config, "float32", split=split) for split in ("batch", "layers")]
    before = get_num_threads()
    T = 40 * shortest_chunk(1)  # so much work that the workers are woken for it
    set_num_threads(threads)
    try:
        for version in range(5):
            x = draw.standard_normal((T, 1, 400)).astype(np.float32)
            expected = engines[0].forward(parameters, 0, x, None, INFERENCE)
            found = engines[1].forward(parameters, 0, x, None, Call(train))
            np.testing.assert_array_equal(found[0], expected[0], err_msg=str(version))
            for state, other in zip(found[1], expected[1], strict=True):
                np.testing.assert_array_equal(state, other)
    finally:
        set_num_threads(before)
