"""What torch's layers and cells tell of themselves, ours tell by the same names; nobody can write it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import fastlstm
import fastlstm.torch

OF_LAYERS = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")
CHANGED = {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.1, "bidirectional": True}
OWN = fastlstm.cells.JANET


def pairs() -> dict[str, tuple[Any, Any, tuple[str, ...]]]:
    """Name to (ours, torch's, the names)."""
    found: dict[str, tuple[Any, Any, tuple[str, ...]]] = {}
    for name, more in (("LSTM", {"proj_size": 3}), ("GRU", {}), ("RNN", {"nonlinearity": "relu"})):
        names = (*OF_LAYERS, *(name for name in more if name == "nonlinearity"))
        for options in ({}, CHANGED | more):
            title = f"{name}{' changed' * bool(options)}"
            found[title] = getattr(fastlstm, name)(5, 6, **options), getattr(torch.nn, name)(5, 6, **options), names
        names = ("input_size", "hidden_size", "bias", *names[len(OF_LAYERS) :])
        options = {"bias": False} | {n: v for n, v in more.items() if n == "nonlinearity"}
        cls = f"{name}Cell"
        found[cls] = getattr(fastlstm, cls)(5, 6, **options), getattr(torch.nn, cls)(5, 6, **options), names
    for kind in (fastlstm.Recurrent, fastlstm.torch.Recurrent):
        for options in ({}, CHANGED):
            title = f"{kind.__module__}{' changed' * bool(options)}"
            found[title] = kind(OWN, 5, 6, **options), torch.nn.GRU(5, 6, **options), OF_LAYERS
    return found


@pytest.mark.parametrize("name", pairs())
def test_attributes_are_torch_s_and_read_only(name: str) -> None:
    ours, theirs, names = pairs()[name]
    for attribute in names:
        value = getattr(ours, attribute)
        assert value == getattr(theirs, attribute)
        assert type(value) is type(getattr(theirs, attribute))
        with pytest.raises(AttributeError):
            setattr(ours, attribute, value)


def test_those_of_a_cell_of_one_s_own() -> None:
    for kind in (fastlstm.Recurrent, fastlstm.torch.Recurrent):
        layer = kind(fastlstm.cells.sLSTM, 5, 8, num_heads=4)
        assert (layer.cell, layer.num_heads) == (fastlstm.cells.sLSTM, 4)
        for attribute in ("cell", "num_heads"):
            with pytest.raises(AttributeError):
                setattr(layer, attribute, getattr(layer, attribute))
