"""A model saved whole is torch's own; copies and what workers get stay ours."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest
import torch
from torch import Tensor

import fastlstm.torch

CLASSES = {
    "LSTM": ((3, 4, 2), {"bidirectional": True, "proj_size": 2}),
    "GRU": ((3, 4), {"batch_first": True, "dtype": torch.float64}),
    "RNN": ((3, 4, 2), {"nonlinearity": "relu", "bias": False, "dropout": 0.3}),
    "LSTMCell": ((3, 4), {"bias": False}),
    "GRUCell": ((3, 4), {}),
    "RNNCell": ((3, 4), {"nonlinearity": "relu"}),
}


@pytest.fixture(params=CLASSES)
def any_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str, namespace: Any) -> torch.nn.Module:
    args, options = CLASSES[kind]
    torch.manual_seed(0)
    return getattr(namespace, kind)(*args, **options)  # type: ignore[no-any-return]


def sample(module: Any) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (5, 3) if isinstance(module, torch.nn.RNNCellBase) else (6, 5, 3)
    return torch.randn(*shape, generator=generator, dtype=module.weight_ih.dtype if len(shape) == 2 else None)


def saved(module: torch.nn.Module) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return file


def same(one: Any, other: Any) -> None:
    """The same attributes, hooks and weights, so that it computes the same."""
    assert {name for name in vars(one) if not name.startswith("_fastlstm")} == set(vars(other))
    assert repr(one).removeprefix("Accelerated") == repr(other)
    assert list(one.state_dict()) == list(other.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert all(a.requires_grad == b.requires_grad for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one.training == other.training
    if isinstance(one, torch.nn.RNNBase):
        assert all(a is b() for a, b in zip(other._flat_weights, other._flat_weight_refs, strict=True))
        assert [id(weight) for weight in other._flat_weights] == [id(weight) for weight in other.parameters()]


def test_a_module_is_saved_as_torchs(any_kind: str) -> None:
    for way in ("a class used directly", "accelerated"):
        module = made(any_kind, fastlstm.torch if way.startswith("a class") else torch.nn)
        fastlstm.torch.accelerate(module)
        module.eval()
        next(module.parameters()).requires_grad_(False)
        theirs = type(module).original  # type: ignore[attr-defined]
        before = torch.get_rng_state()
        with torch.serialization.safe_globals([theirs, set]):
            loaded = torch.load(saved(module), weights_only=True)
        assert torch.equal(torch.get_rng_state(), before)
        assert type(loaded) is theirs
        same(module, loaded)
        again = torch.load(saved(module), weights_only=False)
        assert type(again) is theirs
        assert type(pickle.loads(pickle.dumps(module))) is theirs
        again.train(True)
        torch.testing.assert_close(again.eval()(sample(again).to(next(again.parameters()).dtype)),
                                   module(sample(again).to(next(again.parameters()).dtype)))  # fmt: skip


def test_a_saved_model_is_loaded_without_this_library(tmp_path: Any, python) -> None:  # type: ignore[no-untyped-def]
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LSTM(3, 4))
    fastlstm.torch.accelerate(model)
    model(torch.randn(2, 1, 3))
    torch.save(model, tmp_path / "model.pt")
    done = python(
        "-c",
        "import sys, torch\n"
        f"model = torch.load({str(tmp_path / 'model.pt')!r}, weights_only=False)\n"
        "model(torch.randn(2, 1, 3))\n"
        "print(type(model[1]) is torch.nn.LSTM, 'fastlstm' in sys.modules)",
    )
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_copies_are_ours(any_kind: str) -> None:
    module = made(any_kind, fastlstm.torch)
    deep, shallow = copy.deepcopy(module), copy.copy(module)
    for other in (deep, shallow):
        assert type(other) is type(module)
        same(module, other)
    assert all(a is b for a, b in zip(module.parameters(), shallow.parameters(), strict=True))
    assert not any(a is b for a, b in zip(module.parameters(), deep.parameters(), strict=True))
    model = torch.nn.ModuleList([module, module, torch.nn.Linear(1, 1)])
    model[2].weight = next(module.parameters())  # tied
    other = copy.deepcopy(model)
    assert other[0] is other[1]
    assert other[2].weight is next(other[0].parameters())


def test_what_workers_get_is_ours(any_kind: str) -> None:
    module = made(any_kind, fastlstm.torch)
    assert type(ForkingPickler.loads(ForkingPickler.dumps(module))) is type(module)


def _work(model: torch.nn.Module, queue: Any) -> None:
    queue.put(type(model[0]).__module__)  # type: ignore[index]


def test_a_spawned_process_gets_ours() -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    model = torch.nn.Sequential(fastlstm.torch.GRU(3, 4))
    process = context.Process(target=_work, args=(model, queue))
    process.start()
    found = queue.get()
    process.join()
    assert found == "fastlstm.torch.layers"


class Mine(fastlstm.torch.GRU):
    pass


def test_a_class_of_the_users_is_its_own_affair() -> None:
    assert type(pickle.loads(pickle.dumps(Mine(3, 4)))) is Mine
    assert type(copy.deepcopy(Mine(3, 4))) is Mine
