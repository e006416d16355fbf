"""The layers with CUDA tensors beside torch.nn: on a GPU, or in Numba's simulator with tensors of the CPU.

`test_gpu_simulator.py` runs this file in the simulator; `make test-gpu` runs it on a GPU.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import fastlstm.torch
from fastlstm.cuda import CudaError, why_not
from fastlstm.cuda.shim import SIMULATED

if why_not():
    pytest.skip(f"no GPU here: {why_not()}", allow_module_level=True)
if not SIMULATED and not torch.cuda.is_available():
    pytest.skip("this torch has no CUDA", allow_module_level=True)

from fastlstm.cuda.engine import Engine
from fastlstm.cuda.weights import Weights
from fastlstm.torch import gpu, quick
from fastlstm.torch.runner import Runner

# cuDNN compacts the weights of a copy at each call.
pytestmark = pytest.mark.filterwarnings("ignore:RNN module weights are not part of single contiguous:UserWarning")

DEVICE = "cpu" if SIMULATED else "cuda"
# Of the largest element, or of 1. On an H200 an RNN's gradient of weight_hh differed from cuDNN's by 4.6e-6 of its
# largest element, and outputs at H = 128 by 8e-6, where cuDNN has a kernel of its own; elsewhere by 4e-7.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-11}
# A step of the simulator takes 50 ms; its kernels are tested in tests/cuda.
T, B, I, H = (2, 2, 2, 3) if SIMULATED else (37, 9, 20, 65)


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the simulator tensors of the CPU stand for those of a GPU. No TF32, which would hide what is wrong."""
    if SIMULATED:
        monkeypatch.setattr(gpu, "on_device", lambda tensor: True)
        monkeypatch.setattr(quick, "layer", lambda *call: None)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def engine_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engine's calls."""
    calls: list[str] = []
    forward, backward = Engine.forward, Engine.backward

    def counted_forward(*arguments: Any, **options: Any) -> Any:
        calls.append("forward")
        return forward(*arguments, **options)

    def counted_backward(*arguments: Any, **options: Any) -> Any:
        calls.append("backward")
        return backward(*arguments, **options)

    monkeypatch.setattr(Engine, "forward", counted_forward)
    monkeypatch.setattr(Engine, "backward", counted_backward)
    return calls


def twins(kind: str, *, dtype: torch.dtype = torch.float64, **options: Any) -> tuple[Any, Any]:
    """Ours, served by the kernels, and torch's, with the same weights."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(I, H, dtype=dtype, device=DEVICE, **options)
    ours = copy.deepcopy(theirs)
    fastlstm.torch.accelerate(ours, cuda_kernels="always")
    return ours, theirs


def batch(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*(shape or (T, B, I)), dtype=dtype, generator=generator).to(DEVICE)


def states_of(module: Any, count: int | None = B) -> Any:
    rows = module.num_layers * (2 if module.bidirectional else 1)
    lead = (rows,) if count is None else (rows, count)
    dtype = module.weight_ih_l0.dtype
    h, c = (batch(*lead, H, dtype=dtype, seed=seed) for seed in (2, 3))
    return (h, c) if module.mode == "LSTM" else h


def flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [value.data] if isinstance(value, PackedSequence) else [one for part in value for one in flat(part)]


def leaves(value: Any) -> Any:
    """The same, as leaves that want gradients."""
    if isinstance(value, PackedSequence):
        return PackedSequence(leaves(value.data), *value[1:])
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.is_floating_point())
    return value if value is None else tuple(map(leaves, value))


def results(module: Any, *arguments: Any, **options: Any) -> list[Tensor | None]:
    """Output and states, then gradients of inputs, states and parameters for random gradients of those."""
    arguments = tuple(map(leaves, arguments))
    made = flat(module(*arguments, **options))
    given = [batch(*one.shape, dtype=one.dtype, seed=n) for n, one in enumerate(made)]
    inputs = [one for argument in arguments if argument is not None for one in flat(argument)]
    return [*made, *torch.autograd.grad(made, [*inputs, *module.parameters()], given, allow_unused=True)]


def assert_close(mine: list[Any], due: list[Any]) -> None:
    for one, other in zip(mine, due, strict=True):
        assert (one is None) == (other is None)
        if other is not None:
            largest = max(1.0, other.detach().abs().max().item())
            torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE[other.dtype] * largest)


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stacked both ways": {"num_layers": 2, "bidirectional": True},
    "batch first, no bias": {"batch_first": True, "bias": False},
}
KINDS = ("LSTM", "GRU", "RNN")


@pytest.mark.parametrize(
    ("form", "dtype"), [*((form, torch.float64) for form in FORMS), ("plain", torch.float32)], ids=str
)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients(kind: str, form: str, dtype: torch.dtype, engine_calls: list[str]) -> None:
    ours, theirs = twins(kind, dtype=dtype, **FORMS[form])
    x = batch(B, T, I, dtype=dtype) if "batch first" in form else batch(dtype=dtype)
    assert_close(results(ours, x, states_of(ours)), results(theirs, x, states_of(ours)))
    assert engine_calls == ["forward", "backward"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_initial_states(kind: str, engine_calls: list[str]) -> None:
    ours, theirs = twins(kind)
    assert_close(results(ours, batch()), results(theirs, batch()))
    assert engine_calls == ["forward", "backward"]


def test_relu_and_unbatched(engine_calls: list[str]) -> None:
    ours, theirs = twins("RNN", nonlinearity="relu")
    x = batch(T, I)
    assert_close(results(ours, x, states_of(ours, None)), results(theirs, x, states_of(ours, None)))
    assert engine_calls == ["forward", "backward"]


@pytest.mark.parametrize("kind", KINDS)
def test_packed(kind: str, engine_calls: list[str]) -> None:
    ours, theirs = twins(kind, bidirectional=True)
    lengths = torch.arange(B) * (T - 1) // (B - 1) + 1  # ascending, so that they are sorted first
    packed = pack_padded_sequence(batch(), lengths, enforce_sorted=False)
    assert_close(results(ours, packed, states_of(ours)), results(theirs, packed, states_of(ours)))
    assert engine_calls == ["forward", "backward"]


def test_reset(engine_calls: list[str]) -> None:
    """One sequence is two that follow each other."""
    ours, theirs = twins("LSTM")
    reset = torch.zeros(T, B, dtype=torch.bool, device=DEVICE)
    reset[1] = True
    x, states = batch(), states_of(ours)
    output, final = ours(x, states, reset=reset)
    first, _ = theirs(x[:1], states)
    rest, due = theirs(x[1:])
    assert_close([output, *final], [torch.cat([first, rest]), *due])
    mine = torch.autograd.grad(output.square().sum(), ours.parameters())
    assert_close(list(mine), list(torch.autograd.grad(torch.cat([first, rest]).square().sum(), theirs.parameters())))
    assert engine_calls == ["forward", "backward"]


def test_dropout_between_layers(engine_calls: list[str]) -> None:
    """The masks that the layer draws are replayed on torch's layers one by one."""
    ours, theirs = twins("GRU", num_layers=2, dropout=0.5)
    below, above = (torch.nn.GRU(size, H, dtype=torch.float64, device=DEVICE) for size in (I, H))
    for name, parameter in theirs.named_parameters():
        layer = below if name.endswith("0") else above
        layer.load_state_dict({name[:-1] + "0": parameter}, strict=False)
    x = batch()
    torch.manual_seed(5)
    output, final = ours(x)
    torch.manual_seed(5)
    mask = torch.nn.functional.dropout(torch.ones(T, B, H, dtype=torch.float64, device=DEVICE), 0.5)
    assert not mask.all()
    middle, first = below(x)
    due, second = above(middle * mask)
    assert_close([output, final], [due, torch.cat([first, second])])
    mine = torch.autograd.grad(output.sum(), ours.parameters())
    assert_close(list(mine), list(torch.autograd.grad(due.sum(), [*below.parameters(), *above.parameters()])))


def test_two_backward_passes_and_two_uses(engine_calls: list[str]) -> None:
    ours, theirs = twins("LSTM")
    x = batch()
    found = []
    for module in (ours, theirs):
        one, two = module(x)[0], module(2 * x)[0]
        loss = (one * two).sum()
        weights = list(module.parameters())
        found.append([torch.autograd.grad(loss, weights, retain_graph=n == 0) for n in range(2)])
    for mine, due in zip(*found, strict=True):
        assert_close(list(mine), list(due))
    # what the second backward needs is computed again
    assert engine_calls.count("forward") == 4
    assert engine_calls.count("backward") == 4


def test_weights_may_change_between_calls() -> None:
    """Also where no version counter sees it."""
    ours, theirs = twins("GRU")
    x = batch()
    for change in (lambda w: w.data.mul_(-1), lambda w: w.detach().add_(0.1), lambda w: None):
        for module in (ours, theirs):
            change(module.weight_hh_l0)
            change(module.bias_ih_l0)
        with torch.no_grad():
            assert_close(flat(ours(x)), flat(theirs(x)))
    output = ours(x)[0].sum()
    with torch.no_grad():
        ours.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward()


def test_weights_are_read_once_in_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forward of the second layer is another version, but in an engine of its own."""
    read, of = [], Weights.of

    def counted(*arguments: Any) -> Weights:
        read.append(1)
        return of(*arguments)

    monkeypatch.setattr(Weights, "of", counted)
    (first, _), (second, _) = twins("GRU"), twins("GRU")
    second.weight_ih_l0 = torch.nn.Parameter(batch(3 * H, H))
    second.input_size = H
    second(first(batch())[0])[0].sum().backward()
    assert len(read) == 2


def test_partial_gradients_and_double_backward() -> None:
    ours, theirs = twins("LSTM")
    for module in (ours, theirs):
        module.weight_ih_l0.requires_grad_(False)
        module.bias_hh_l0.requires_grad_(False)
    found = []
    for module in (ours, theirs):
        x = batch().requires_grad_()
        with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no second derivative
            loss = module(x)[0].square().sum()
            [grad] = torch.autograd.grad(loss, x, create_graph=True)
            grad.square().sum().backward()
        found.append([grad.detach(), x.grad, *[parameter.grad for parameter in module.parameters()]])
    assert_close(*found)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing(reentrant: bool, engine_calls: list[str]) -> None:
    ours, theirs = twins("GRU")
    found = []
    for module in (ours, theirs):
        x = batch().requires_grad_()
        output = checkpoint(lambda value, layer=module: layer(value)[0], x, use_reentrant=reentrant)
        output.square().sum().backward()
        found.append([x.grad, *[parameter.grad for parameter in module.parameters()]])
    assert_close(*found)
    assert engine_calls == ["forward", "forward", "backward"]


def autocast(module: Any) -> Any:
    torch.set_autocast_enabled("cuda", True)  # torch.autocast refuses to where there is no GPU
    try:
        return module(batch())
    finally:
        torch.set_autocast_enabled("cuda", False)


def half(module: Any) -> Any:
    return copy.deepcopy(module).to(torch.bfloat16)(batch().to(torch.bfloat16))


def transformed(module: Any) -> Any:
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN wants memory, which a transform's tensors have not
        return torch.func.grad(lambda x: module(x)[0].sum())(batch())


REASONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "autocast": (autocast, "autocast is on"),
    "half": (half, "the tensors are torch.bfloat16"),
    "func.grad": (transformed, "a transform of torch.func"),
}


@pytest.mark.parametrize(("way", "reason"), REASONS.values(), ids=REASONS)
def test_what_the_kernels_leave_to_torch(way: Callable[[Any], Any], reason: str, engine_calls: list[str]) -> None:
    ours, _ = twins("RNN")
    with pytest.warns(RuntimeWarning, match=reason):
        way(ours)
    assert not engine_calls


def failing(*_: Any, **__: Any) -> Any:
    raise CudaError("the GPU's memory is full")


def test_a_failing_engine_leaves_the_call_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = twins("GRU")
    monkeypatch.setattr(Engine, "forward", failing)
    with pytest.warns(RuntimeWarning, match="torch's own operators compute this layer: the GPU's memory is full"):
        mine = flat(ours(batch()))
    assert_close(mine, flat(theirs(batch())))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        ours(batch())  # told once


def test_a_failing_backward_is_computed_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = twins("LSTM", num_layers=2, dropout=0.5)
    theirs.dropout = ours.dropout = 0.0
    monkeypatch.setattr(Engine, "backward", failing)
    with pytest.warns(RuntimeWarning, match="the GPU's memory is full"):
        mine = results(ours, batch(), states_of(ours))
    assert_close(mine, results(theirs, batch(), states_of(ours)))


def test_a_layer_that_the_engine_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("proj_size is not supported")

    monkeypatch.setattr(Engine, "__init__", refuse)
    ours, theirs = twins("GRU")
    with pytest.warns(RuntimeWarning, match="proj_size is not supported"):
        mine = flat(ours(batch()))
    assert_close(mine, flat(theirs(batch())))


def test_a_size_that_the_kernels_do_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*_: Any, **__: Any) -> Any:
        raise ValueError("a block has too little shared memory")

    ours, theirs = twins("RNN")
    monkeypatch.setattr(Engine, "forward", too_large)
    with pytest.warns(RuntimeWarning, match="too little shared memory"):
        mine = flat(ours(batch()))
    assert_close(mine, flat(theirs(batch())))


def test_measured_and_reported(monkeypatch: pytest.MonkeyPatch, engine_calls: list[str]) -> None:
    """On a GPU with its own clock; in the simulator with one that finds ours the faster, then torch's."""
    chooser = gpu.Chooser(gpu.seconds, gpu.agree, (CudaError,), 8)
    monkeypatch.setattr(gpu, "CHOOSER", chooser)
    times = iter([1e-3, 2e-3] * 3 + [3e-3, 2e-3] * 3)
    if SIMULATED:
        monkeypatch.setattr(chooser, "_timed", lambda way: next(times))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.GRU(I, H, device=DEVICE))
    due = copy.deepcopy(model)
    report = fastlstm.torch.accelerate(model, cuda_kernels="measure")
    assert str(report) == "0  GRU  replaced; on the GPU measured at the first call of each shape"
    x = batch(dtype=torch.float32)
    before = torch.get_rng_state() if SIMULATED else torch.cuda.get_rng_state()
    mine, theirs = results(model, x), results(due, x)
    with torch.no_grad():
        mine += flat(model(x))
        theirs += flat(due(x))
    assert_close(mine, theirs)
    assert torch.equal(before, torch.get_rng_state() if SIMULATED else torch.cuda.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())
    head, training, inference = str(report).splitlines()
    assert head == "0  GRU  replaced; on the GPU as measured"
    steps = 1 << (T - 1).bit_length()
    assert training.strip().startswith(f"T<={steps} B={B} float32 training: ours ")
    assert inference.strip().startswith(f"T<={steps} B={B} float32 inference: ours ")
    if SIMULATED:
        assert training.endswith("ours 1 ms, torch's own 2 ms: ours")
        assert inference.endswith("ours 3 ms, torch's own 2 ms: torch's own")
        # to compare; the call, forward and backward; to compare
        assert engine_calls == ["forward", "backward"] * 2 + ["forward"]
    count = len(engine_calls)
    results(model, x)
    assert len(engine_calls) - count == 2 * training.endswith(": ours"), "measured once"


@pytest.fixture
def ours_win(monkeypatch: pytest.MonkeyPatch) -> gpu.Chooser:
    """A clock that always finds our kernels the faster."""
    times = itertools.cycle([1.0, 2.0])
    chooser = gpu.Chooser(lambda way: next(times), gpu.agree, (), 8)
    monkeypatch.setattr(gpu, "CHOOSER", chooser)
    return chooser


def measured(module: Any) -> Any:
    module.cuda_kernels = "measure"
    return module


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_compute_the_same(kind: str, ours_win: gpu.Chooser) -> None:
    """Whatever the form of the call; else ours would have lost."""
    ours, theirs = twins(kind, bidirectional=True, batch_first=True)
    measured(ours)
    x, states = batch(B, T, I), states_of(ours)
    packed = pack_padded_sequence(x, torch.full((B,), T), batch_first=True)
    for arguments in ((x,), (packed, states)):
        assert_close(results(ours, *arguments), results(theirs, *arguments))
    known = ours_win.known(ours._config())
    assert [choice.is_ours for choice in known.values()] == [True, True]
    steps = 1 << (T - 1).bit_length()
    assert [(kind.T, kind.B, kind.packed) for kind in known] == [(steps, B, False), (steps, B, True)]


def test_projections(ours_win: gpu.Chooser, engine_calls: list[str]) -> None:
    ours, theirs = twins("LSTM", proj_size=2, bidirectional=True)
    assert_close(results(measured(ours), batch()), results(theirs, batch()))
    assert engine_calls == ["forward", "backward"] * 2


def test_kinds_of_calls(ours_win: gpu.Chooser, engine_calls: list[str]) -> None:
    ours = measured(twins("RNN")[0])
    with torch.no_grad():
        for steps, count, is_new in ((3, 1, True), (4, 1, False), (5, 1, True), (5, 2, True), (6, 2, False)):
            before = len(engine_calls)
            ours(batch(steps, count, I))
            # to compare, and the call; the clock here runs nothing
            assert len(engine_calls) - before == 1 + is_new
    assert [(kind.T, kind.B) for kind in ours_win.known(ours._config())] == [(4, 1), (8, 1), (8, 2)]


def test_measuring_is_not_seen(ours_win: gpu.Chooser) -> None:
    """Not by hooks on weights, on what autograd saves or in checkpoints, nor by the random numbers."""
    ours = measured(twins("GRU", num_layers=2, dropout=0.5)[0])
    seen: list[str] = []
    ours.weight_hh_l0.register_hook(lambda grad: seen.append("gradient"))
    ours.weight_hh_l0.register_post_accumulate_grad_hook(lambda parameter: seen.append("accumulated"))

    def pack(tensor: Tensor) -> Tensor:
        seen.append("saved")
        return tensor

    found = []
    for _ in range(2):  # the first one measures
        torch.manual_seed(3)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            output = checkpoint(lambda value: ours(value)[0], batch(), use_reentrant=False)
            output = output + ours(batch())[0]
        found.append((output, list(seen), torch.rand(1)))
        seen.clear()
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1:] == found[1][1:]
    found[0][0].sum().backward()
    assert seen.count("gradient") == seen.count("accumulated") == 1
    [choice] = ours_win.known(ours._config()).values()
    assert choice.is_ours


def test_evaluation_measures_no_backward(ours_win: gpu.Chooser, engine_calls: list[str]) -> None:
    """cuDNN has none there."""
    ours = measured(twins("LSTM")[0]).eval()
    ours(batch())
    assert engine_calls == ["forward"] * 2


def test_kernels_that_compute_something_else_do_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    chooser = gpu.Chooser(lambda way: 1.0, gpu.agree, (CudaError,), 8)
    monkeypatch.setattr(gpu, "CHOOSER", chooser)
    ours, theirs = twins("GRU")
    ours.cuda_kernels = "measure"
    forward = Engine.forward

    def wrong(self: Engine, *arguments: Any, **options: Any) -> Any:
        parameters, version, x, *rest = arguments
        return forward(self, parameters, version, x + x, *rest, **options)

    monkeypatch.setattr(Engine, "forward", wrong)
    with pytest.warns(RuntimeWarning, match="the kernels' results differ from torch's"), torch.no_grad():
        mine = flat(ours(batch()))
    assert_close(mine, flat(theirs(batch())))
    assert "differ" in str(fastlstm.torch.swap.Report([fastlstm.torch.swap.Entry("", "GRU", ours)]))


def test_never(engine_calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Runner, "forward")  # the CPU's kernels cannot read a GPU's memory
    ours, theirs = twins("LSTM")
    ours.cuda_kernels = "never"
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert_close(results(ours, batch()), results(theirs, batch()))
    with pytest.warns(RuntimeWarning, match="cuda_kernels is 'never'"):
        ours(batch(), reset=torch.zeros(T, B, dtype=torch.bool, device=DEVICE))
    assert not engine_calls


def test_deterministic_programs_measure_nothing(engine_calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = twins("RNN")
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    ours.cuda_kernels = "measure"
    with torch.no_grad():
        ours(batch())
        assert not engine_calls
        ours.cuda_kernels = "always"
        ours(batch())
    assert engine_calls == ["forward"]


@pytest.mark.skipif(SIMULATED, reason="wants the streams of a GPU")
def test_on_a_stream_of_its_own() -> None:
    ours, theirs = twins("LSTM", num_layers=2)
    due = results(theirs, batch())
    side = torch.cuda.Stream()
    x = batch()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.cuda._sleep(100_000_000)  # whatever is queued elsewhere would run now, before x is there
        mine = results(ours, x.mul(2).div(2))
    torch.cuda.current_stream().wait_stream(side)
    assert_close(mine, due)


@pytest.mark.skipif(SIMULATED, reason="wants the graphs of a GPU")
def test_a_captured_graph_has_torchs_own(engine_calls: list[str]) -> None:
    ours, theirs = twins("GRU", dtype=torch.float32)
    x = batch(dtype=torch.float32)
    with torch.no_grad():
        theirs(x)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output, _ = ours(x)
        graph.replay()
        torch.testing.assert_close(output, theirs(x)[0])
    assert not engine_calls


@pytest.mark.skipif(SIMULATED or torch.cuda.device_count() < 2, reason="wants two GPUs")
def test_on_another_gpu_than_the_current() -> None:
    ours, theirs = (module.to("cuda:1") for module in twins("LSTM"))
    x = batch().to("cuda:1")
    assert_close([one.cpu() for one in flat(ours(x))], [one.cpu() for one in flat(theirs(x))])
