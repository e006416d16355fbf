"""What a program that has no kernels for its GPU sees: one warning, the report's reason, and torch's own results.

Tensors of the CPU stand for CUDA tensors; `test_gpu.py` has the kernels themselves.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import fastlstm.cuda
import fastlstm.torch
from fastlstm.cuda import CudaError
from fastlstm.spec import TRAINING, Grads
from fastlstm.torch import gpu, quick
from fastlstm.torch.chooser import Choice, Chooser, Kind
from fastlstm.torch.device import DeviceRunner, _made
from fastlstm.torch.measure import agree

WHY = "numba-cuda is not installed: pip install 'fastlstm[cuda]'"


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tensors are, and no kernels serve there."""
    monkeypatch.setattr(gpu, "on_device", lambda tensor: True)
    monkeypatch.setattr(gpu, "unavailable", lambda: WHY)
    monkeypatch.setattr(quick, "layer", lambda *call: None)


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.ModuleDict({
        "rnn": torch.nn.LSTM(3, 4), "other": torch.nn.GRU(3, 4), "cell": torch.nn.LSTMCell(3, 4),
    })  # fmt: skip


@pytest.mark.usefixtures("on_a_gpu")
def test_the_reason_is_told_once() -> None:
    found, due = model(), model()
    report = fastlstm.torch.accelerate(found, cuda_kernels="measure")
    x = torch.randn(5, 2, 3)
    with pytest.warns(RuntimeWarning, match="torch's own operators compute this layer: numba-cuda") as warned:
        mine = [found[name](x)[0] for name in ("rnn", "other", "rnn")]
    assert len(warned) == 1
    for one, name in zip(mine, ("rnn", "other", "rnn"), strict=True):
        assert torch.equal(one, due[name](x)[0])
    assert str(report).splitlines() == [
        "rnn    LSTM      replaced; on the GPU torch's own",
        "other  GRU       replaced; on the GPU torch's own",
        "cell   LSTMCell  replaced; on the GPU torch's own, which has a kernel for a cell",
        f"no kernels on the GPU: {WHY}",
    ]


@pytest.mark.usefixtures("on_a_gpu")
def test_resets_are_computed_all_the_same() -> None:
    ours = fastlstm.torch.GRU(3, 4)
    ours.cuda_kernels = "measure"
    x, reset = torch.randn(5, 2, 3), torch.rand(5, 2) < 0.5
    with pytest.warns(RuntimeWarning, match="numba-cuda"):
        mine = ours(x, reset=reset)[0]
    steps, h = [], torch.zeros(1, 2, 4)
    for row, fresh in zip(x, reset, strict=True):
        output, h = torch.nn.GRU.forward(ours, row[None], torch.where(fresh[None, :, None], 0, h))
        steps.append(output)
    torch.testing.assert_close(mine, torch.cat(steps))


@pytest.mark.usefixtures("on_a_gpu")
def test_the_report_tells_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    chooser = Chooser(lambda way: 1.0, agree, (), 8)
    monkeypatch.setattr(gpu, "CHOOSER", chooser)
    monkeypatch.setattr(gpu, "unavailable", lambda: None)
    found = model()
    report = fastlstm.torch.accelerate(found, cuda_kernels="measure")
    waits = "replaced; on the GPU measured at the first call of each shape"
    assert str(report).splitlines()[:2] == [f"rnn    LSTM      {waits}", f"other  GRU       {waits}"]
    kind = Kind(found["rnn"]._config(), 512, 16, "float32", False, True, 0)
    chooser._known[kind] = Choice(0.0019, 0.0031)
    chooser._known[kind._replace(B=1)] = Choice(reason="the GPU's memory is full", failed=True)
    found["other"].cuda_kernels = "never"
    assert str(report).splitlines()[:4] == [
        "rnn    LSTM      replaced; on the GPU as measured",
        "                 T<=512 B=16 float32 training: ours 1.9 ms, torch's own 3.1 ms: ours",
        "                 T<=512 B=1 float32 training: torch's own: the GPU's memory is full",
        "other  GRU       replaced; on the GPU torch's own (cuda_kernels is 'never')",
    ]
    report.undo()
    assert str(report).splitlines()[0] == "rnn    LSTM      replaced"


def test_on_the_cpu_the_report_tells_nothing_of_gpus() -> None:
    lines = str(fastlstm.torch.accelerate(model())).splitlines()
    assert [line.split()[-1] for line in lines] == ["replaced"] * 3


def test_the_words() -> None:
    found = model()
    with pytest.raises(ValueError, match="cuda_kernels is 'sometimes', expected 'never', 'measure', 'always'"):
        fastlstm.torch.accelerate(found, cuda_kernels="sometimes")
    assert type(found["rnn"]) is torch.nn.LSTM, "nothing was replaced"
    fastlstm.torch.accelerate(found, cuda_kernels="always")
    ours = found["rnn"]
    assert [module.cuda_kernels for module in (ours, found["cell"])] == ["always", "always"]
    with pytest.raises(ValueError, match="cuda_kernels is 1"):
        ours.cuda_kernels = 1
    assert copy.deepcopy(ours).cuda_kernels == copy.copy(ours).cuda_kernels == "always"
    assert "always" not in vars(fastlstm.torch.LSTM.__prepare_scriptable__(ours)).values()
    fastlstm.torch.restore(found)
    assert "always" not in vars(ours).values()


@pytest.mark.usefixtures("on_a_gpu")
def test_kernels_that_have_not_run_on_a_gpu_are_not_asked_for_by_default() -> None:
    found, due = model(), model()
    report = fastlstm.torch.accelerate(found)
    assert found["rnn"].cuda_kernels == fastlstm.torch.LSTM(3, 4).cuda_kernels == "never"
    x = torch.randn(5, 2, 3)
    assert torch.equal(found["rnn"](x)[0], due["rnn"](x)[0])  # without a warning that no kernels are there
    state = "replaced; on the GPU torch's own (cuda_kernels is 'never')"
    assert str(report).splitlines()[:2] == [f"rnn    LSTM      {state}", f"other  GRU       {state}"]
    assert WHY not in str(report)


def test_a_gpus_runner_stays_out_of_copies() -> None:
    ours = fastlstm.torch.LSTM(3, 4)
    ours.__dict__[gpu.DEVICE_RUNNER] = lambda: None  # cannot be pickled
    assert gpu.DEVICE_RUNNER not in pickle.loads(pickle.dumps(ours)).__dict__
    fastlstm.torch.restore(ours)
    assert gpu.DEVICE_RUNNER not in ours.__dict__


def test_results_have_the_memory_of_torchs_allocator() -> None:
    """Not a view: what a function returns may be changed in place."""
    owner = torch.arange(6.0).reshape(3, 2)

    class Array:
        def __init__(self, *shape: int) -> None:
            self.shape, self.gpu_data = shape, type("Data", (), {"owner": owner})

    assert _made(Array(3, 2)) is owner
    turned = _made(Array(1, 3, 2))
    assert torch.equal(turned, owner[None])
    assert turned.untyped_storage().data_ptr() == owner.data_ptr()
    assert not turned._is_view()


def test_a_gpus_calls_are_made_while_it_is_the_current(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[Any] = [torch.device("cuda", 0)]
    seen: list[Any] = []

    @contextmanager
    def device(chosen: torch.device) -> Iterator[None]:
        current.append(chosen)
        yield
        current.pop()

    class Engine:
        def __init__(self, *_: Any) -> None:
            seen.append(current[-1])

        def forward(self, parameters: Any, version: Any, x: Any, *_: Any, **__: Any) -> Any:
            seen.append(current[-1])
            return SimpleNamespace(copy_to_host=lambda: x), (), "saved"

        def backward(self, *_: Any, **__: Any) -> Any:
            seen.append(current[-1])
            raise CudaError("enough")

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(fastlstm.cuda, "Engine", Engine, raising=False)
    layer, second = fastlstm.torch.GRU(3, 4), torch.device("cuda", 1)
    runner = DeviceRunner(layer._config(), torch.float32, second)
    x, weights = torch.randn(5, 2, 3), list(layer.parameters())
    *_, handle = runner.forward(x, (), weights, TRAINING)
    assert handle is not None
    with pytest.raises(CudaError, match="enough"):
        runner.backward(x, (), weights, TRAINING, handle, Grads(x))
    assert seen == [second] * 3


def values(*numbers: Any) -> list[Any]:
    return [None if number is None else torch.tensor([number, 1.0]) for number in numbers]


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (values(0.51, None), values(0.5, None), True),
        (values(0.6), values(0.5), False),
        (values(None), values(0.5), False),
        (values(float("nan")), values(float("nan")), True),
        (values(float("nan")), values(0.5), False),
        (values(float("inf")), values(float("inf")), True),
    ],
)
def test_what_agrees(ours: list[Any], theirs: list[Any], same: bool) -> None:
    assert agree(ours, theirs) is same


def test_warnings_are_not_given_where_torchs_own_was_asked_for(on_a_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = fastlstm.torch.LSTM(3, 4)
    ours.cuda_kernels = "never"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours(torch.randn(5, 2, 3))


def test_importing_loads_no_cuda(python) -> None:  # type: ignore[no-untyped-def]
    done = python("-c", "import fastlstm.torch, sys; print([name for name in sys.modules if 'numba.cuda' in name])")
    assert done.stdout.strip() == "[]", done.stderr
