"""A module of ours is torch's in every respect but the speed: state, copies, pickles, hooks, repr."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

import fastlstm.torch

I, H = 3, 5
KINDS = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")


def sample(kind: str) -> Tensor:
    return torch.randn(*(() if "Cell" in kind else (6,)), 3, I, generator=torch.Generator().manual_seed(1))


def first(result: Any) -> Tensor:
    """The output of a layer, h of a cell."""
    return result[0] if isinstance(result, tuple) else result


def same(one: torch.nn.Module, other: torch.nn.Module, kind: str) -> bool:
    x = sample(kind)
    return torch.allclose(first(one(x)), first(other(x)), atol=1e-6)


@pytest.fixture(params=KINDS)
def any_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


OPTIONS: dict[str, list[dict[str, Any]]] = {
    "LSTM": [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}, {"proj_size": 2}, {"bias": False}],
    "GRU": [{}, {"num_layers": 3, "dropout": 0.5}],
    "RNN": [{}, {"nonlinearity": "relu"}],
    "LSTMCell": [{}, {"bias": False}],
    "GRUCell": [{}],
    "RNNCell": [{"nonlinearity": "relu"}],
}


def test_classes_names_and_repr_are_torchs(any_kind: str) -> None:
    for options in OPTIONS[any_kind]:
        theirs = getattr(torch.nn, any_kind)(I, H, **options)
        ours = getattr(fastlstm.torch, any_kind)(I, H, **options)
        assert isinstance(ours, type(theirs))
        assert type(ours).__name__ == any_kind
        assert repr(ours) == repr(theirs)
        assert ours.extra_repr() == theirs.extra_repr()
        assert [(name, p.shape) for name, p in ours.named_parameters()] == [
            (name, p.shape) for name, p in theirs.named_parameters()
        ]
        assert list(ours.state_dict()) == list(theirs.state_dict())
        if "Cell" not in any_kind:
            assert [[p.shape for p in layer] for layer in ours.all_weights] == [
                [p.shape for p in layer] for layer in theirs.all_weights
            ]


def test_the_same_seed_gives_the_same_weights(any_kind: str) -> None:
    torch.manual_seed(5)
    theirs = getattr(torch.nn, any_kind)(I, H)
    torch.manual_seed(5)
    ours = getattr(fastlstm.torch, any_kind)(I, H)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


def test_attributes_stay_torchs(any_kind: str) -> None:
    """After a call as well: what a call keeps is not seen in state, parameters, buffers or modules."""
    theirs, ours = getattr(torch.nn, any_kind)(I, H), getattr(fastlstm.torch, any_kind)(I, H)
    first(ours(sample(any_kind))).sum().backward()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert not list(ours.buffers())
    assert list(ours.modules()) == [ours]
    assert set(vars(ours)) - set(vars(theirs)) == {"_fastlstm_runner"}


def test_state_dict_both_ways(any_kind: str) -> None:
    theirs, ours = getattr(torch.nn, any_kind)(I, H), getattr(fastlstm.torch, any_kind)(I, H)
    ours.load_state_dict(theirs.state_dict())
    assert same(ours, theirs, any_kind)
    other = getattr(torch.nn, any_kind)(I, H)
    other.load_state_dict(ours.state_dict())
    assert same(ours, other, any_kind)


def test_state_dict_keys_are_strict(any_kind: str) -> None:
    ours = getattr(fastlstm.torch, any_kind)(I, H)
    state = ours.state_dict()
    missing = next(iter(state))
    wrong = {name: value for name, value in state.items() if name != missing} | {"extra": torch.zeros(1)}
    with pytest.raises(RuntimeError, match=f'Missing key.*"{missing}"') as raised:
        ours.load_state_dict(wrong)
    assert 'Unexpected key(s) in state_dict: "extra"' in str(raised.value)
    found = ours.load_state_dict(wrong, strict=False)
    assert found.missing_keys == [missing]
    assert found.unexpected_keys == ["extra"]


def used(kind: str) -> torch.nn.Module:
    """A module that has been called, forward and backward."""
    ours: torch.nn.Module = getattr(fastlstm.torch, kind)(I, H)
    first(ours(sample(kind))).sum().backward()
    return ours


def saved_and_loaded(module: torch.nn.Module) -> torch.nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)  # type: ignore[no-any-return]


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    "old pickle": lambda module: pickle.loads(pickle.dumps(module, protocol=2)),
    "torch.save": saved_and_loaded,
}


@pytest.mark.parametrize("way", COPIES.values(), ids=COPIES)
def test_copies(way: Any, any_kind: str) -> None:
    ours = used(any_kind)
    other = way(ours)
    # What is pickled is of torch's class, to be loaded where this library is not.
    assert type(other) is (type(ours) if way is copy.deepcopy else type(ours).original)
    assert "_fastlstm_runner" not in vars(other)
    assert same(ours, other, any_kind)
    with torch.no_grad():  # a copy stands alone
        next(other.parameters()).mul_(2)
    assert not same(ours, other, any_kind)
    first(other(sample(any_kind))).sum().backward()


def test_a_shallow_copy_shares_its_parameters(any_kind: str) -> None:
    ours = used(any_kind)
    other = copy.copy(ours)
    with torch.no_grad():
        next(ours.parameters()).mul_(2)
    assert same(ours, other, any_kind)


def test_a_deepcopy_keeps_ties() -> None:
    pair = torch.nn.ModuleList([used("LSTM"), used("LSTM")])
    pair[1].weight_hh_l0 = pair[0].weight_hh_l0
    other = copy.deepcopy(pair)
    assert other[1].weight_hh_l0 is other[0].weight_hh_l0
    assert other[1].weight_hh_l0 is not pair[0].weight_hh_l0


def test_dtypes(any_kind: str) -> None:
    ours = used(any_kind)
    for convert, dtype in ((ours.double, torch.float64), (ours.float, torch.float32)):
        convert()
        result = first(ours(sample(any_kind).to(dtype)))
        assert result.dtype is dtype
        theirs = getattr(torch.nn, any_kind)(I, H, dtype=dtype)
        theirs.load_state_dict(ours.state_dict())
        torch.testing.assert_close(result, first(theirs(sample(any_kind).to(dtype))))
    assert ours.to(torch.float64) is ours
    assert first(ours(sample(any_kind).double())).dtype is torch.float64


def test_options_set_after_the_constructor(twins: Any, agree: Any) -> None:
    ours, theirs = twins("LSTM", I, H, 2, dtype=torch.float64)
    x = torch.randn(6, 6, I, dtype=torch.float64)
    agree(ours, theirs, x)
    for module in (ours, theirs):
        module.batch_first = True
    agree(ours, theirs, x)
    for module in (ours, theirs):
        module.dropout = 0.5
    agree(ours, theirs, x)
    for module in (ours, theirs):
        module.eval()
    agree(ours, theirs, x)


def test_forward_hooks(any_kind: str) -> None:
    ours, theirs = used(any_kind), getattr(torch.nn, any_kind)(I, H)
    theirs.load_state_dict(ours.state_dict())
    x = sample(any_kind)
    for module in (ours, theirs):
        module.register_forward_pre_hook(lambda module, args: (args[0] * 2, *args[1:]))
        module.register_forward_hook(lambda module, args, result: (first(result) + 1, args[0]))
    mine, due = ours(x), theirs(x)
    torch.testing.assert_close(mine, due)
    assert torch.equal(mine[1], 2 * x)


def test_a_pre_hook_may_pass_reset() -> None:
    ours = fastlstm.torch.GRU(I, H)
    reset = torch.ones(6, 3, dtype=torch.bool)
    due = ours(sample("GRU"), reset=reset)[0]
    ours.register_forward_pre_hook(lambda module, args, kwargs: (args, {"reset": reset}), with_kwargs=True)
    assert torch.equal(ours(sample("GRU"))[0], due)


def test_backward_hooks(any_kind: str) -> None:
    ours, theirs = used(any_kind), getattr(torch.nn, any_kind)(I, H)
    theirs.load_state_dict(ours.state_dict())
    seen: dict[torch.nn.Module, list[Any]] = {ours: [], theirs: []}
    for module, notes in seen.items():
        module.zero_grad()
        module.register_full_backward_pre_hook(lambda module, grad: tuple(None if g is None else 2 * g for g in grad))
        module.register_full_backward_hook(lambda module, gi, go, notes=notes: notes.extend([*gi, *go]))
        x = sample(any_kind).requires_grad_()
        x.register_hook(lambda grad: grad * 3)
        result = module(x)
        first(result).register_hook(notes.append)
        first(result).sum().backward()
        notes.append(x.grad)
        next(module.parameters()).register_post_accumulate_grad_hook(lambda p, notes=notes: notes.append(p.grad))
        first(module(x)).sum().backward()
    assert len(seen[ours]) == len(seen[theirs]) > 4
    for mine, due in zip(seen[ours], seen[theirs], strict=True):
        if due is None:
            assert mine is None or not mine.any()
        else:
            torch.testing.assert_close(mine, due, rtol=1e-4, atol=1e-5)


def test_a_module_in_a_container_trains(twins: Any) -> None:
    """Embedding, two layers, a head, Adam: losses of 20 steps with either."""
    losses = []
    for namespace in (fastlstm.torch, torch.nn):
        torch.manual_seed(0)
        embedding, head = torch.nn.Embedding(11, I), torch.nn.Linear(2 * H, 4)
        layer = namespace.LSTM(I, H, 2, bidirectional=True, batch_first=True)  # type: ignore[attr-defined]
        model = torch.nn.ModuleList([embedding, layer, head])
        adam = torch.optim.Adam(model.parameters(), 0.01)
        tokens, targets = torch.randint(11, (8, 7)), torch.randint(4, (8,))
        losses.append([])
        for _ in range(20):
            adam.zero_grad()
            loss = torch.nn.functional.cross_entropy(head(layer(embedding(tokens))[0][:, -1]), targets)
            loss.backward()
            adam.step()
            losses[-1].append(loss.item())
    assert losses[0][-1] < 0.8 * losses[0][0]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)
