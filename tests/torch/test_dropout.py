"""Dropout between layers: torch's own masks from the same seed, and the share that it should keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils.rnn import pack_padded_sequence

import fastlstm.torch


def test_the_same_seed_drops_the_same_units(
    kind: str, form: dict[str, Any], twins: Any, agree: Callable[..., None], draw_input: Any
) -> None:
    """So a run can be repeated with either, and values and gradients are compared exactly."""
    ours, theirs = twins(kind, 3, 5, dtype=torch.float64, **(form | {"num_layers": 3, "dropout": 0.4}))
    x = draw_input(ours)
    agree(ours, theirs, x)
    agree(ours, theirs, pack_padded_sequence(x, torch.tensor([4, 2, 6]), ours.batch_first, enforce_sorted=False))
    agree(ours, theirs, x[0])
    agree(ours.eval(), theirs.eval(), x)


def test_everything_dropped_and_nothing(kind: str, twins: Any, agree: Callable[..., None]) -> None:
    for p in (0.0, 1.0):
        ours, theirs = twins(kind, 3, 5, 2, dropout=p, dtype=torch.float64)
        agree(ours, theirs, torch.randn(6, 3, 3, dtype=torch.float64))


def test_masks_are_drawn_anew_for_every_call_in_training(kind: str) -> None:
    module = getattr(fastlstm.torch, kind)(3, 5, 2, dropout=0.5)
    x = torch.randn(6, 3, 3)
    assert not torch.equal(module(x)[0], module(x)[0])
    module.eval()
    assert torch.equal(module(x)[0], module(x)[0])


def test_the_given_share_is_kept(kind: str) -> None:
    """A second layer that sums what reaches it, one number for each step and sequence, tells how much was dropped."""
    p, H = 0.3, 400
    module = getattr(fastlstm.torch, kind)(1, H, 2, dropout=p)
    x = torch.randn(50, 2, 1)
    (mask,) = module._masks(module._config(), x)
    kept = mask != 0
    assert kept.shape == (50, 2, H)
    deviation = (p * (1 - p) / kept.numel()) ** 0.5
    assert abs(kept.double().mean().item() - (1 - p)) < 4 * deviation
    assert torch.equal(mask[kept], torch.full_like(mask[kept], 1 / (1 - p)))
