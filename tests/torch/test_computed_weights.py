"""Weights that something computes before each forward: weight and spectral norm, parametrizations, pruning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize, prune

I, H = 3, 5
X = torch.randn(6, 3, I, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Half(torch.nn.Module):
    """A parametrization."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight / 2


def parametrized(module: Any) -> None:
    parametrize.register_parametrization(module, "weight_hh_l0", Half())


def weight_norm_new(module: Any) -> None:
    parametrizations.weight_norm(module, "weight_hh_l0")


def spectral_norm_new(module: Any) -> None:
    parametrizations.spectral_norm(module.eval(), "weight_hh_l0")


def orthogonal(module: Any) -> None:
    parametrizations.orthogonal(module, "weight_ih_l0")


def weight_norm_old(module: Any) -> None:
    with pytest.warns(FutureWarning):
        torch.nn.utils.weight_norm(module, "weight_hh_l0")


def spectral_norm_old(module: Any) -> None:
    torch.nn.utils.spectral_norm(module.eval(), "weight_hh_l0")


def pruned(module: Any) -> None:
    prune.l1_unstructured(module, "weight_hh_l0", amount=0.4)


def pruned_twice(module: Any) -> None:
    prune.l1_unstructured(module, "weight_ih_l0", amount=3)
    prune.random_structured(module, "weight_ih_l0", amount=2, dim=0)


REWRITES = [
    parametrized, weight_norm_new, spectral_norm_new, orthogonal,
    weight_norm_old, spectral_norm_old, pruned, pruned_twice,
]  # fmt: skip


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.__name__)
def test_computed_weights(rewrite: Callable[[Any], None], kind: str, twins: Any, agree: Any) -> None:
    """Weights that something computes before each forward: values, gradients of the originals, and training."""
    ours, theirs = twins(kind, I, H, 2, dtype=torch.float64)
    ours(X)
    for module in (ours, theirs):
        torch.manual_seed(3)
        rewrite(module)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    agree(ours, theirs, X)
    for module in (ours, theirs):
        sgd = torch.optim.SGD(module.parameters(), 0.1)
        for _ in range(3):
            sgd.zero_grad()
            module(X)[0].pow(2).sum().backward()
            sgd.step()
    agree(ours, theirs, X)


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.__name__)
def test_copies_of_modules_with_computed_weights(rewrite: Callable[[Any], None], twins: Any, agree: Any) -> None:
    ours, theirs = twins("LSTM", I, H, dtype=torch.float64)
    for module in (ours, theirs):
        torch.manual_seed(3)
        rewrite(module)
        with torch.no_grad():
            module(X)
    agree(copy.deepcopy(ours), copy.deepcopy(theirs), X)


def test_pruning_and_weight_norm_can_be_taken_off(twins: Any, agree: Any) -> None:
    ours, theirs = twins("GRU", I, H, dtype=torch.float64)
    for module in (ours, theirs):
        prune.l1_unstructured(module, "weight_hh_l0", amount=0.4)
        module(X)
        prune.remove(module, "weight_hh_l0")
        parametrized(module)
        module(X)
        parametrize.remove_parametrizations(module, "weight_hh_l0")
    agree(ours, theirs, X)
