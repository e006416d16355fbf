"""Everything is queued on the current stream of the library that has the memory; runs where `test_device.py` runs in
the simulator, with fakes that note on which stream each thing is queued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastlstm_lint.contract import Layer, sizes

import fastlstm
from fastlstm.cuda.shim import SIMULATED, CudaError

if not SIMULATED:
    pytest.skip("wants the simulator: NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

import numba.cuda
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
from numba.cuda.simulator.kernel import FakeCUDAKernel

from fastlstm.cuda import arrays, matrix, streams
from fastlstm.cuda.engine import Engine
from fastlstm.cuda.gather import gather, joined
from fastlstm.cuda.weights import Weights
from fastlstm.spec import INFERENCE, TRAINING, Call, Grads

SIDE, OTHER, THIRD = 7, 8, 9


class Stream:
    """Knows its handle, and whether the host has waited for it."""

    def __init__(self, handle: int, log: list[tuple[str, int]]) -> None:
        self.handle, self._log = handle, log

    def __int__(self) -> int:
        return self.handle

    def synchronize(self) -> None:
        self._log.append(("host waits", self.handle))


class Machine:
    """What was queued, in order, as (what, handle of the stream); and the place that is current."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.place = (0, SIDE)
        self.quiet = False

    def note(self, what: str, stream: Any) -> None:
        if not self.quiet:
            self.log.append((what, int(stream) or streams.NUMBAS))

    def counts(self) -> dict[str, int]:
        return dict(Counter(what for what, _ in self.log))

    def bound(self, value: np.ndarray, handle: int) -> Any:
        """A device array that was written on a stream."""
        return FakeCUDAArray(value, stream=Stream(handle, self.log))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A GPU whose current stream is SIDE."""
    machine = Machine()
    known: dict[int, Stream] = {}
    configure, to_device, allocate = FakeCUDAKernel.__getitem__, numba.cuda.to_device, numba.cuda.device_array
    down, up, multiply = FakeCUDAArray.copy_to_host, FakeCUDAArray.copy_to_device, matrix.Simulated.multiply

    def stream_of(handle: int) -> Stream:
        return known.setdefault(handle, Stream(handle, machine.log))

    def launched(kernel: Any, configuration: Any) -> Any:
        machine.note("launch", configuration[2])
        return configure(kernel, configuration)

    def uploaded(array: Any, stream: Any = 0) -> Any:
        machine.note("upload", stream)
        return to_device(array).bind(stream)

    def allocated(*arguments: Any, **options: Any) -> Any:
        machine.note("allocate", options.get("stream", 0))
        return allocate(*arguments, **options)

    def copied_down(array: Any, out: Any = None, stream: Any = 0) -> Any:
        machine.note("copy", stream or array.stream)
        return down(array, out)

    def copied_up(array: Any, source: Any, stream: Any = 0) -> None:
        machine.note("copy", stream or array.stream)
        up(array, source)

    def multiplied(*arguments: Any, **options: Any) -> None:
        machine.quiet = True  # it stands for a library, which has its own current stream
        multiply(*arguments, **options)
        machine.quiet = False

    class Event:
        def __init__(self, timing: bool) -> None:
            assert not timing, "an event that takes the time costs more"

        def record(self, stream: Stream) -> None:
            machine.note("record", stream)

        def wait(self, stream: Stream) -> None:
            machine.note("wait", stream)

    monkeypatch.setattr(streams, "place", lambda: machine.place)
    monkeypatch.setattr(streams, "stream_of", stream_of)
    monkeypatch.setattr(FakeCUDAKernel, "__getitem__", launched)
    monkeypatch.setattr(FakeCUDAArray, "copy_to_host", copied_down)
    monkeypatch.setattr(FakeCUDAArray, "copy_to_device", copied_up)
    monkeypatch.setattr(FakeCUDAArray, "reshape", lambda array, *shape: FakeCUDAArray(array._ary.reshape(*shape)))
    monkeypatch.setattr(numba.cuda, "to_device", uploaded)
    monkeypatch.setattr(numba.cuda, "device_array", allocated)
    monkeypatch.setattr(numba.cuda, "event", Event)
    monkeypatch.setattr(matrix.Simulated, "multiply", multiplied)
    return machine


def drawn(config: Layer, *shapes: tuple[int, ...]) -> Iterator[Any]:
    """Parameters, then arrays of these shapes."""
    draw = np.random.default_rng(4)
    yield {name: draw.standard_normal(sizes(shape)) for name, shape in config.parameters().items()}
    for shape in shapes:
        yield draw.standard_normal(shape)


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("form", ["dense", "packed"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_all_work_of_a_training_step(kind: str, form: str, persistent: bool, gpu: Machine) -> None:
    config = Layer(kind, 2, 3, num_layers=2, bidirectional=True, bias=form == "dense")
    lead = (2, 2) if form == "dense" else (3,)
    parameters, x, mask, above, state = drawn(config, (*lead, 2), (*lead, 6), (*lead, 6), (4, 2, 3))
    states = (state, state) if kind == "LSTM" else (state,)
    batch_sizes = None if form == "dense" else np.array([2, 1])
    reset = np.array([[False, True], [True, False]])
    engine = Engine(config, "float64", persistent=persistent)
    output, final, saved = engine.forward(
        parameters, 1, x, states, Call(True, batch_sizes=batch_sizes, reset=reset, masks=[mask])
    )
    grad_x, grad_initial, gradients = engine.backward(parameters, 1, saved, Grads(above, (None,) * len(states)))
    assert {handle for _, handle in gpu.log} == {SIDE}
    assert gpu.counts().keys() >= {"launch", "upload", "allocate", "copy", "host waits"}
    for result in (output, *final, grad_x, *grad_initial, *gradients.values()):
        assert int(result.stream) == SIDE, "what is written says on which stream"


@pytest.mark.parametrize("persistent", [True, False])
def test_all_work_of_a_projection(persistent: bool, gpu: Machine) -> None:
    config = Layer("LSTM", 2, 3, bidirectional=True, proj_size=2)
    parameters, x, above = drawn(config, (2, 2, 2), (2, 2, 4))
    engine = Engine(config, "float64", persistent=persistent)
    output, final, saved = engine.forward(parameters, 1, x, None, TRAINING)
    grad_x, grad_initial, gradients = engine.backward(parameters, 1, saved, Grads(above))
    assert {handle for _, handle in gpu.log} == {SIDE}
    assert gpu.counts()["launch"] >= 2
    for result in (output, *final, grad_x, *grad_initial, *gradients.values()):
        assert int(result.stream) == SIDE


def test_uploads_are_there_when_they_are_given_on(gpu: Machine) -> None:
    """Another stream may read them, and the host write to what was uploaded."""
    arrays.upload(np.zeros(3))
    assert gpu.log == [("upload", SIDE), ("host waits", SIDE)]


def test_the_product_of_our_own(gpu: Machine) -> None:
    one = gpu.bound(np.ones((2, 2)), SIDE)
    matrix.Own().multiply(one, one, one)
    assert gpu.log == [("launch", SIDE)]


@contextmanager
def asserted_order(gpu: Machine, here: int, others: list[int]) -> Iterator[None]:
    """Work here begins after what the others have queued, and what they queue next begins after it."""
    gpu.log.clear()
    yield
    work = [n for n, (what, handle) in enumerate(gpu.log) if what == "launch" and handle == here]
    for other in others:
        entered = gpu.log.index(("record", other))
        assert gpu.log[entered + 1] == ("wait", here)
        left = len(gpu.log) - 1 - gpu.log[::-1].index(("wait", other))
        assert gpu.log[left - 1] == ("record", here)
        assert entered < work[0] <= work[-1] < left
    assert gpu.counts().get("wait", 0) == 2 * len(others)


def test_streams_wait_for_each_other(gpu: Machine) -> None:
    config = Layer("LSTM", 3, 3)
    parameters, x, above = drawn(config, (2, 2, 3), (2, 2, 3))
    engine = Engine(config, "float64")
    with asserted_order(gpu, SIDE, [OTHER]):
        output, _, saved = engine.forward(parameters, 1, gpu.bound(x, OTHER), None, TRAINING)
    gpu.place = (0, THIRD)
    with asserted_order(gpu, THIRD, [SIDE, OTHER]):  # what was kept lies on SIDE, and x on OTHER
        engine.backward(parameters, 1, saved, Grads(above))
    with asserted_order(gpu, THIRD, [SIDE]):
        engine.forward(parameters, 1, output, None, INFERENCE)


def test_weights_are_read_again_on_another_stream(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be read while the first stream still copies them."""
    config = Layer("GRU", 2, 3)
    parameters, x = drawn(config, (2, 2, 2))
    engine, read, of = Engine(config, "float64"), [], Weights.of

    def counted(*arguments: Any) -> Weights:
        read.append(gpu.place)
        return of(*arguments)

    monkeypatch.setattr(Weights, "of", counted)
    for gpu.place in ((0, SIDE), (0, SIDE), (0, OTHER), (0, OTHER)):
        engine.forward(parameters, 1, x, None, INFERENCE)
    assert read == [(0, SIDE), (0, OTHER)]


def test_an_engine_stays_on_its_gpu(gpu: Machine) -> None:
    config = Layer("RNN", 2, 3)
    parameters, x = drawn(config, (2, 2, 2))
    engine = Engine(config, "float64")
    gpu.place = (1, SIDE)
    with pytest.raises(CudaError, match="the current GPU is 1, this engine was made on GPU 0"):
        engine.forward(parameters, 1, x, None, INFERENCE)


class Foreign:
    """A library's array on stream 8, or one that says nothing of streams."""

    def __init__(self, stream: int | None) -> None:
        self.__cuda_array_interface__ = {"stream": stream}


@pytest.mark.parametrize(("stream", "waits"), [(OTHER, [("record", OTHER), ("wait", SIDE)]), (SIDE, []), (None, [])])
def test_arrays_of_other_libraries(
    stream: int | None, waits: list[Any], gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(described: Any, owner: Any, sync: bool) -> Any:
        assert not sync, "the host need not wait"
        return gpu.bound(np.zeros(2), SIDE)

    monkeypatch.setattr(numba.cuda, "from_cuda_array_interface", taken, raising=False)
    arrays.as_device("x", Foreign(stream), np.float64)
    assert gpu.log == waits


def test_the_library_has_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(device_index=1, cuda_stream=0)
    torch = SimpleNamespace(__name__="torch", cuda=SimpleNamespace(current_stream=lambda: now))
    runtime = SimpleNamespace(getDevice=lambda: 2)
    cupy = SimpleNamespace(
        __name__="cupy", cuda=SimpleNamespace(runtime=runtime, get_current_stream=lambda: SimpleNamespace(ptr=OTHER))
    )
    monkeypatch.setattr(streams, "partner", lambda: torch)
    assert streams.place() == (1, streams.LEGACY)
    now.cuda_stream = SIDE
    assert streams.place() == (1, SIDE)
    monkeypatch.setattr(streams, "partner", lambda: cupy)
    assert streams.place() == (2, OTHER)
    monkeypatch.setattr(streams, "partner", lambda: None)
    assert streams.place() == (0, streams.NUMBAS)


def test_streams_of_cupy_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones: a backward pass waits for the stream of its forward pass."""
    now: list[Any] = []
    cuda = SimpleNamespace(runtime=SimpleNamespace(getDevice=lambda: 0), get_current_stream=lambda: now[-1])
    monkeypatch.setattr(streams, "partner", lambda: SimpleNamespace(__name__="cupy", cuda=cuda))
    monkeypatch.setattr(streams, "_held", {})
    for handle in range(100, 100 + 2 * streams.MOST_HELD):
        now.append(SimpleNamespace(ptr=handle))
        assert streams.place() == streams.place() == (0, handle)
    assert list(streams._held.values()) == now[-streams.MOST_HELD :]
    now.append(SimpleNamespace(ptr=handle))  # the driver gives a handle again
    streams.place()
    assert streams._held[handle] is now[-1]


def test_memory_of_a_library_says_its_stream(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = object()
    monkeypatch.setattr(
        numba.cuda, "from_cuda_array_interface", lambda *found, **options: (*found, options), raising=False
    )
    described, options = matrix._shared(owner, 4096, (2,), np.dtype("float32"))
    assert described["shape"] == (2,)
    assert described["typestr"] == "<f4"
    assert described["data"] == (4096, False)
    assert described["stream"] == SIDE
    assert options == {"owner": owner, "sync": False}


def test_a_meeting_asks_once_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(streams, "_asked", lambda: asked.append(1) or (0, 100 + len(asked)))
    with streams.meeting():
        assert streams.place() == streams.place() == (0, 101)
        with streams.meeting():
            assert streams.place() == (0, 101)
        assert streams.place() == (0, 101)
    assert streams.place() == (0, 102), "after it the stream may be another"
    with pytest.raises(ZeroDivisionError), streams.meeting():
        raise ZeroDivisionError
    assert streams.place() == (0, 104), "also after one that failed"


def test_a_launch_is_configured_once_for_each_place(monkeypatch: pytest.MonkeyPatch, gpu: Machine) -> None:
    class Kernel:
        def __init__(self) -> None:
            self.asked: list[Any] = []

        def __getitem__(self, configuration: Any) -> object:
            self.asked.append((*configuration[:2], int(configuration[2]), configuration[3]))
            return object()

    monkeypatch.setattr(streams, "SIMULATED", False)
    kernel = Kernel()
    first = streams.configured(kernel, 2, 64, 100)
    assert streams.configured(kernel, 2, 64, 100) is first
    gpu.place = (0, OTHER)
    assert streams.configured(kernel, 2, 64, 100) is not first
    gpu.place = (1, OTHER)
    streams.configured(kernel, 2, 64, 100)
    assert kernel.asked == [(2, 64, SIDE, 100), (2, 64, OTHER, 100), (2, 64, OTHER, 100)]


def test_what_is_gathered(gpu: Machine) -> None:
    rows = gpu.bound(np.arange(6.0).reshape(2, 3), OTHER)
    with asserted_order(gpu, SIDE, [OTHER]):
        taken = gather(rows, 1, np.array([2, 0, -1]), 7)
    assert ("upload", SIDE) in gpu.log
    np.testing.assert_array_equal(taken._ary, [[2, 0, 7], [5, 3, 7]])
    gpu.log.clear()
    both = joined([rows, rows])
    assert gpu.log[-2:] == [("record", SIDE), ("wait", OTHER)]
    assert {handle for what, handle in gpu.log if what == "copy"} == {SIDE}
    assert int(taken.stream) == int(both.stream) == SIDE


@pytest.mark.parametrize("form", ["dense", "unbatched", "packed", "cell", "one step"])
def test_what_layers_give_says_its_stream(gpu: Machine, form: str) -> None:
    is_cell = form in ("cell", "one step")
    layer: Any = (fastlstm.LSTMCell if is_cell else fastlstm.LSTM)(3, 4, device="cuda", dtype=np.float64)
    shapes = {"dense": (2, 2, 3), "unbatched": (2, 3), "packed": (5, 3), "cell": (2, 3), "one step": (3,)}
    x: Any = gpu.bound(np.ones(shapes[form]), SIDE)
    if form == "packed":
        x = fastlstm.PackedSequence(x, np.array([2, 2, 1]), np.array([1, 0]), np.array([1, 0]))
    after = layer(x)
    output, state = (None, after) if is_cell else after
    grad_x, grad_state = layer.backward(state) if is_cell else layer.backward(output, state)
    for value in (output, *state, grad_x, *grad_state):
        given = value.data if isinstance(value, fastlstm.PackedSequence) else value
        assert given is None or int(given.stream) == SIDE, value
