"""Blocks that run at the same time and wait for each other, which Numba's simulator does not do.

It runs one block after the other, so the persistent kernels run in it with groups of one block. Here every thread of
every block is a Python thread at once, some blocks slower than others; a kernel's `cuda` is `Grid`. Runs where
`test_device.py` runs in the simulator: on a GPU that file has groups of many blocks itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastlstm_lint.contract import Layer, sizes
from numba.np import numpy_support

from fastlstm.cuda.shim import SIMULATED
from fastlstm.reference import Reference

if not SIMULATED:
    pytest.skip("wants the simulator: NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from numba.cuda.simulator import kernel as running

from fastlstm.cuda import launch
from fastlstm.cuda.engine import Engine
from fastlstm.spec import Call, Grads

PATIENCE = 10  # seconds; a barrier that is missed ends the test, not the machine
GROUP, DELAY = 3, 0.002  # one of the blocks of each group is slow at each of its own barriers


class Grid:
    """What a kernel sees as `cuda`: blocks with shared memory of their own, all at work together."""

    def __init__(self, blocks: int, threads: int, shared_bytes: int, slow: int) -> None:
        self.blocks, self.threads, self._slow = blocks, threads, slow
        self._here = threading.local()
        self._memory = [np.full(shared_bytes, 0xFF, np.uint8) for _ in range(blocks)]  # NaN until written
        self._block_barriers = [threading.Barrier(threads) for _ in range(blocks)]
        self._grid_barrier = threading.Barrier(blocks * threads)
        self._lock = threading.Lock()
        self.errors: list[BaseException] = []
        self.local = SimpleNamespace(array=lambda shape, dtype: np.empty(shape, numpy_support.as_dtype(dtype)))
        self.shared = SimpleNamespace(array=self._shared)
        self.atomic = SimpleNamespace(add=self._add)
        grid = SimpleNamespace(sync=lambda: self._grid_barrier.wait(PATIENCE))
        self.cg = SimpleNamespace(this_grid=lambda: grid)

    @property
    def threadIdx(self) -> Any:
        return SimpleNamespace(x=self._here.thread)

    @property
    def blockIdx(self) -> Any:
        return SimpleNamespace(x=self._here.block)

    def syncthreads(self) -> None:
        if self._here.block % GROUP == self._slow:
            time.sleep(DELAY)
        self._block_barriers[self._here.block].wait(PATIENCE)

    def threadfence(self) -> None:
        """Python's threads see each other's writes."""

    def _shared(self, shape: int, dtype: Any) -> np.ndarray:
        return self._memory[self._here.block].view(numpy_support.as_dtype(dtype))

    def _add(self, array: np.ndarray, index: int, value: int) -> int:
        time.sleep(0)  # who polls lets others run
        assert not self.errors
        with self._lock:
            before = int(array[index])
            array[index] += value
        return before

    def run(self, function: Any, arguments: list[Any]) -> None:
        def work(block: int, thread: int) -> None:
            self._here.block, self._here.thread = block, thread
            if block % GROUP == self._slow:
                time.sleep(50 * DELAY)  # the others have done their first step
            try:
                function(*arguments)
            except BaseException as error:
                self.errors.append(error)
                self._grid_barrier.abort()
                for barrier in self._block_barriers:
                    barrier.abort()

        started = [
            threading.Thread(target=work, args=(block, thread), daemon=True)
            for block in range(self.blocks)
            for thread in range(self.threads)
        ]
        for one in started:
            one.start()
        for one in started:
            one.join(PATIENCE)
        if self.errors:
            raise self.errors[0]


@pytest.fixture(params=[0, 1], ids=["first-slow", "second-slow"])
def together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sequence kernels run in a Grid; returns the numbers of blocks of each."""
    seen = []

    def configured(kernel: Any, blocks: int, threads: int, shared_bytes: int) -> Any:
        def call(*arguments: Any) -> None:
            seen.append(blocks)
            grid = Grid(blocks, threads, -(-shared_bytes // 8) * 8, request.param)
            monkeypatch.setattr(running, "_kernel_context", grid)
            try:
                grid.run(kernel.py_func, [getattr(value, "_ary", value) for value in arguments])
            finally:
                monkeypatch.setattr(running, "_kernel_context", None)

        return call

    monkeypatch.setattr(launch, "configured", configured)
    return seen


@pytest.mark.parametrize(
    ("kind", "bidirectional", "proj_size"), [("LSTM", False, 0), ("GRU", True, 0), ("LSTM", True, 4)]
)
def test_blocks_that_wait_for_each_other(kind: str, bidirectional: bool, proj_size: int, together: list[int]) -> None:
    config, T, B = Layer(kind, 2, 11, bidirectional=bidirectional, proj_size=proj_size), 4, 5
    draw = np.random.default_rng(8)
    parameters = {name: draw.standard_normal(sizes(shape)) / 3 for name, shape in config.parameters().items()}
    x, reset = draw.standard_normal((T, B, 2)), draw.random((T, B)) < 0.2
    states = tuple(draw.standard_normal(sizes(shape)) for shape in config.states(B).values())
    engine, reference = Engine(config, "float64", persistent=True), Reference(config, np.dtype("float64"))
    engine._machine = replace(engine._machine, blocks=6 * config.directions, group=GROUP, threads=4, lanes=2)
    results = []
    for made in (engine, reference):
        output, final, saved = made.forward(parameters, 1, x, states, Call(True, reset=reset))
        above = np.random.default_rng(9).standard_normal(output.shape)
        grad_x, grad_initial, gradients = made.backward(parameters, 1, saved, Grads(above, states))
        named = {"output": output, "grad_x": grad_x, **gradients}
        named |= {f"final {n}": value for n, value in enumerate(final)}
        named |= {f"grad_state {n}": value for n, value in enumerate(grad_initial)}
        results.append({name: np.array(getattr(value, "_ary", value)) for name, value in named.items()})
    # two slices of the batch, and of each three blocks that share the units
    assert together == [6 * config.directions] * 2
    for name, expected in results[1].items():
        np.testing.assert_allclose(results[0][name], expected, rtol=1e-9, atol=1e-12, err_msg=name)
