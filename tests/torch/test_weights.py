"""Packed weights are renewed when a byte of a parameter has changed, whoever wrote it, and only then."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters

from fastlstm.engine import Engine

I, H = 3, 5
X = torch.randn(6, 3, I, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def draw(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the packing kernels that were run."""
    names: list[str] = []
    pack = Engine._pack

    def counted(self: Engine, kernel: str, *rest: Any) -> None:
        names.append(kernel)
        pack(self, kernel, *rest)

    monkeypatch.setattr(Engine, "_pack", counted)
    return names


def is_torchs(ours: torch.nn.Module, x: torch.Tensor = X) -> bool:
    """Ours gives what torch's class gives with the weights of this moment."""
    theirs = copy.deepcopy(ours)
    theirs.__class__ = ours.original
    return torch.allclose(ours(x)[0], theirs(x)[0], rtol=1e-9, atol=1e-10)


def optimizer(cls: type[torch.optim.Optimizer], **options: Any) -> Callable[[torch.nn.Module], None]:
    def edit(module: torch.nn.Module) -> None:
        with torch.enable_grad():
            for parameter in module.parameters():
                parameter.grad = torch.ones_like(parameter)
            cls(module.parameters(), lr=0.1, **options).step()  # type: ignore[call-arg]

    return edit


def in_place(module: Any) -> None:
    module.bias_hh_l0.data += 1


def one_number(module: Any) -> None:
    module.weight_hh_l0.data[3, 2] += 1e-3


def the_sign_of_zero(module: Any) -> None:
    module.bias_ih_l0.data[0] = -0.0 if module.bias_ih_l0[0].item() == 0 else 0.0


def other_data(module: Any) -> None:
    module.weight_ih_l0.data = draw(module.weight_ih_l0.shape)


def strided_data(module: Any) -> None:
    rows, columns = module.weight_ih_l0.shape
    module.weight_ih_l0.data = draw((columns, rows)).T


def other_parameter(module: Any) -> None:
    module.weight_hh_l0 = torch.nn.Parameter(draw(module.weight_hh_l0.shape))


def under_no_grad(module: Any) -> None:
    with torch.no_grad():
        module.weight_hh_l0.mul_(0.5)


def by_copy(module: Any) -> None:
    with torch.no_grad():
        module.weight_hh_l0.copy_(draw(module.weight_hh_l0.shape))


def by_numpy(module: Any) -> None:
    module.bias_ih_l0.detach().numpy()[...] += 1


def by_a_view(module: Any) -> None:
    module.weight_hh_l0.detach().view(-1)[7] *= 3


def by_init(module: Any) -> None:
    torch.nn.init.orthogonal_(module.weight_hh_l0)


def by_reset_parameters(module: Any) -> None:
    module.reset_parameters()


def by_state_dict(module: Any) -> None:
    module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()})


def by_assigned_state_dict(module: Any) -> None:
    module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()}, assign=True)


def by_soft_update(module: Any) -> None:
    """As target networks are updated."""
    for target in module.parameters():
        target.data.copy_(0.9 * target.data + 0.1 * draw(target.shape))


def by_lerp(module: Any) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(module.parameters()), [draw(p.shape) for p in module.parameters()], 0.1)


def by_clipping(module: Any) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.clamp_(max=parameter.max() / 2)


def by_vector(module: Any) -> None:
    vector_to_parameters(parameters_to_vector(module.parameters()) * 2, module.parameters())


def by_set(module: Any) -> None:
    with torch.no_grad():
        module.weight_hh_l0.set_(draw(module.weight_hh_l0.shape))


EDITS: list[Callable[[Any], None]] = [
    in_place, one_number, the_sign_of_zero, other_data, other_parameter, under_no_grad, by_copy, by_numpy, by_a_view,
    by_init, by_reset_parameters, by_state_dict, by_assigned_state_dict, by_soft_update, by_lerp, by_clipping,
    by_vector, by_set,
]  # fmt: skip
OPTIMIZERS = {
    "SGD": optimizer(torch.optim.SGD),
    "SGD foreach": optimizer(torch.optim.SGD, momentum=0.9, foreach=True),
    "Adam": optimizer(torch.optim.Adam),
    "Adam fused": optimizer(torch.optim.Adam, fused=True),
    "AdamW capturable": optimizer(torch.optim.AdamW, foreach=False),
}
ALL = {edit.__name__: edit for edit in EDITS} | OPTIMIZERS


@pytest.mark.parametrize("edit", ALL.values(), ids=ALL)
@torch.no_grad()
def test_one_packing_for_each_edit(edit: Callable[[Any], None], kind: str, twins: Any, packings: list[str]) -> None:
    ours, _ = twins(kind, I, H, 2, dtype=torch.float64)
    for count in (1, 2, 3):
        ours(X)
        ours(X)
        assert packings == ["pack"] * count
        assert is_torchs(ours)
        edit(ours)
    assert is_torchs(ours)


def test_no_packing_without_an_edit(kind: str, twins: Any, packings: list[str]) -> None:
    ours, _ = twins(kind, I, H, 2, dtype=torch.float64)
    with torch.no_grad():
        for batch in (1, 3, 6):
            ours(X[:, :batch])
            ours(X[:2, :batch])
        ours.eval()
        ours(X)
        ours.flatten_parameters()
        ours.requires_grad_(False).requires_grad_(True)
        ours.zero_grad()
        ours.load_state_dict(ours.state_dict())  # copies the same bytes
        ours.to("cpu")
        ours.double()
        ours(X)
    for _ in range(3):  # evaluation and training share what forward reads
        ours(X)[0].sum().backward()
    assert packings == ["pack", "pack_transposed"]


def test_a_training_step_packs_each_panel_once(kind: str, twins: Any, packings: list[str]) -> None:
    ours, _ = twins(kind, I, H, dtype=torch.float64)
    adam = torch.optim.Adam(ours.parameters())
    for _ in range(4):
        adam.zero_grad()
        ours(X)[0].sum().backward()
        adam.step()
    assert packings == ["pack", "pack_transposed"] * 4


@torch.no_grad()
def test_a_strided_weight_is_read_anew_in_every_call(kind: str, twins: Any) -> None:
    ours, _ = twins(kind, I, H, dtype=torch.float64)
    strided_data(ours)
    for _ in range(2):
        assert is_torchs(ours)
        ours.weight_ih_l0.data[0, 0] += 1
    assert is_torchs(ours)


@torch.no_grad()
def test_nan_in_a_weight_is_not_a_change_of_every_call(twins: Any, packings: list[str]) -> None:
    ours, _ = twins("LSTM", I, H, dtype=torch.float64)
    ours.bias_hh_l0.fill_(float("nan"))
    for _ in range(3):
        assert ours(X)[0].isnan().all()
    assert packings == ["pack"]


@torch.no_grad()
def test_two_modules_that_share_weights_both_see_an_edit(kind: str, twins: Any) -> None:
    first, second = twins(kind, I, H, dtype=torch.float64)[0], twins(kind, I, H, dtype=torch.float64)[0]
    for name in first._flat_weights_names:
        setattr(second, name, getattr(first, name))
    assert torch.equal(first(X)[0], second(X)[0])
    first.weight_hh_l0.data.mul_(2)
    assert torch.equal(first(X)[0], second(X)[0])
    assert is_torchs(second)


@torch.no_grad()
def test_layers_tied_within_one_module(twins: Any, agree: Any) -> None:
    ours, theirs = twins("GRU", H, H, 2, dtype=torch.float64)
    for module in (ours, theirs):
        module.weight_hh_l1 = module.weight_hh_l0
        module.weight_ih_l1 = module.weight_ih_l0
    with torch.enable_grad():
        agree(ours, theirs, draw((6, 3, H)))


@torch.no_grad()
def test_a_cell_sees_every_edit(cell: str, twins: Any) -> None:
    ours, theirs = twins(cell, I, H, dtype=torch.float64)
    x = draw((3, I))
    for edit in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        for module in (ours, theirs):
            getattr(module, edit).data.mul_(1.5).add_(0.1)
        mine, due = ours(x), theirs(x)
        torch.testing.assert_close(mine, due, rtol=1e-9, atol=1e-10)


def test_a_write_between_forward_and_backward_is_refused(kind: str, twins: Any) -> None:
    """torch's autograd tells, as for its own modules."""
    for module in twins(kind, I, H, dtype=torch.float64):
        loss = module(X)[0].sum()
        with torch.no_grad():
            module.weight_hh_l0.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_weights_of_one_call_are_those_of_its_backward(kind: str, twins: Any) -> None:
    """Two forwards with two sets of weights by functional_call, then their backwards in the same order."""
    grads = []
    for module in twins(kind, I, H, dtype=torch.float64):
        torch.manual_seed(0)
        sets = [{name: draw(p.shape).requires_grad_() for name, p in module.named_parameters()} for _ in range(2)]
        losses = [torch.func.functional_call(module, one, (X,))[0].sum() for one in sets]
        grads.append([torch.autograd.grad(loss, list(one.values())) for loss, one in zip(losses, sets, strict=True)])
    for mine, due in zip(*grads, strict=True):
        for one, other in zip(mine, due, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)
