"""from_torch and to_torch: the same numbers on both sides, the configuration kept, other modules refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrizations, prune

import fastlstm

LAYERS = ["LSTM", "GRU", "RNN"]
CELLS = [f"{name}Cell" for name in LAYERS]
STACK: dict[str, Any] = {
    "num_layers": 2,
    "bias": False,
    "batch_first": True,
    "dropout": 0.25,
    "bidirectional": True,
}
CASES: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in LAYERS + CELLS],
    *[(name, STACK) for name in LAYERS],
    ("LSTM", {"proj_size": 2, "num_layers": 2}),
    ("RNN", {"nonlinearity": "relu"}),
    ("RNNCell", {"nonlinearity": "relu", "bias": False}),
]
I, H = 3, 4


def identity(case: Any) -> str:
    return case if isinstance(case, str) else " ".join(f"{name}={value}" for name, value in case.items()) or "plain"


def output(found: Any) -> Any:
    """The first array or tensor of a call's results."""
    return output(found[0]) if isinstance(found, tuple) else found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("name", "options"), CASES, ids=identity)
def test_the_same_numbers_on_both_sides(name: str, options: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = getattr(torch.nn, name)(I, H, **options, dtype=dtype).eval()
    layer = getattr(fastlstm, name).from_torch(module)
    x = torch.randn((2, I) if name in CELLS else (5, 2, I), dtype=dtype)
    with torch.no_grad():
        expected = output(module(x)).numpy()
        again = output(layer.to_torch()(x)).numpy()
    found = output(layer(x.numpy()))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 if dtype is torch.float32 else 1e-14)
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options"), CASES, ids=identity)
def test_nothing_is_lost_on_the_way(name: str, options: dict[str, Any], training: bool) -> None:
    """torch -> array -> torch: the class, every constructor argument, every weight, the flag, and no shared memory."""
    module = getattr(torch.nn, name)(I, H, **options).train(training)
    layer = getattr(fastlstm, name).from_torch(module)
    again = layer.to_torch()
    assert type(again) is type(module)
    assert repr(again) == repr(module)
    assert again.training == layer.training == training
    state = module.state_dict()
    assert list(again.state_dict()) == list(state)
    for key, value in again.state_dict().items():
        assert torch.equal(value, state[key])
        value.zero_()
        assert not np.shares_memory(layer.state_dict()[key], state[key].numpy())
    assert all(layer.state_dict()[key].any() for key in state)


def test_subclasses_on_either_side() -> None:
    class Ours(fastlstm.LSTM):
        pass

    class Theirs(torch.nn.LSTM):
        pass

    layer = Ours.from_torch(Theirs(I, H))
    assert type(layer) is Ours
    assert type(layer.to_torch()) is torch.nn.LSTM


def test_a_parametrized_weight_is_taken_as_it_is_used() -> None:
    module = parametrizations.weight_norm(torch.nn.GRU(I, H), "weight_hh_l0")
    with torch.no_grad():
        module.parametrizations.weight_hh_l0.original0 *= 3
    x = torch.randn(5, 2, I)
    found, _ = fastlstm.GRU.from_torch(module)(x.numpy())
    np.testing.assert_allclose(found, module(x)[0].detach(), rtol=1e-5, atol=1e-6)


class OwnForward(torch.nn.LSTM):
    def forward(self, x: Any, state: Any = None) -> Any:
        return super().forward(2 * x, state)


def weight_normed() -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.nn.utils.weight_norm(torch.nn.LSTM(I, H), "weight_hh_l0")


def mixed() -> torch.nn.Module:
    module = torch.nn.LSTM(I, H)
    module.bias_ih_l0.data = module.bias_ih_l0.data.double()
    return module


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (lambda: torch.nn.GRU(I, H), TypeError, "expected torch.nn.LSTM: fastlstm.GRU.from_torch takes it"),
        (lambda: torch.nn.LSTMCell(I, H), TypeError, "fastlstm.LSTMCell.from_torch takes it"),
        (lambda: torch.nn.Sequential(torch.nn.LSTM(I, H)), TypeError, "pass the layer inside it"),
        (lambda: torch.nn.Linear(I, H), TypeError, "torch.nn.modules.linear.Linear, expected torch.nn.LSTM"),
        (lambda: torch.nn.LSTM, TypeError, "module is a type, expected torch.nn.LSTM"),
        (lambda: torch.nn.LSTM(I, H).state_dict(), TypeError, "OrderedDict, expected torch.nn.LSTM"),
        (lambda: OwnForward(I, H), TypeError, "its class has a forward of its own"),
        (weight_normed, TypeError, "weight_hh_l0 is not a parameter"),
        (
            lambda: prune.l1_unstructured(torch.nn.LSTM(I, H), "weight_ih_l0", 0.5),
            TypeError,
            "weight_ih_l0 is not a parameter",
        ),
        (lambda: torch.nn.LSTM(I, H).half(), ValueError, "torch.float16, expected torch.float32 or torch.float64"),
        (mixed, ValueError, "the parameters are torch.float32 and torch.float64, expected one dtype"),
        (lambda: torch.nn.LSTM(I, H, device="meta"), ValueError, "weight_ih_l0 is on the meta device"),
    ],
)
def test_another_module_is_refused_by_name(module: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        fastlstm.LSTM.from_torch(module())
    assert message in str(raised.value)


def test_without_torch_the_extra_is_named(python: Any) -> None:
    """An import of torch that finds nothing, in a process of its own."""
    code = "import sys; sys.modules['torch'] = None; import fastlstm; fastlstm.GRU(2, 3).to_torch()"
    done = python("-c", code)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
    assert "pip install 'fastlstm[torch]'" in done.stderr
