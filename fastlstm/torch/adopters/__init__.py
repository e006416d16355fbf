"""Recurrent modules of other libraries that compute step by step, known by the names of their classes: their packages
are not imported.

Each file here has, for some classes, a class that comes before theirs in the order of methods, as `Accelerated` does
before torch's. A new one is a file and a line of `ADOPTERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

import torch

from fastlstm.torch.adopters.base import Adopted

ADOPTERS: Mapping[tuple[str, str], str] = {
    ("tirex.models.slstm.cell", "sLSTMCell"): "slstm.TirexCell",
    ("xlstm.blocks.slstm.cell", "sLSTMCell_vanilla"): "slstm.XlstmCell",
    ("xlstm.blocks.slstm.cell", "sLSTMCell_cuda"): "slstm.XlstmCudaCell",
    ("neuralhydrology.modelzoo.ealstm", "EALSTM"): "hydrology.EntityAware",
    ("neuralhydrology.modelzoo.customlstm", "CustomLSTM"): "hydrology.Custom",
}
"""(module, class) of theirs to the file and class of ours."""


def adopter_of(cls: type) -> type[Adopted] | None:
    """The class that computes for a module of this class; None where none does."""
    name = ADOPTERS.get((cls.__module__, cls.__qualname__))
    return None if name is None else _loaded(name)


def known_base(cls: type) -> type | None:
    """The class of another library, known here, from which a user's class is derived."""
    return next((base for base in cls.__mro__[1:] if (base.__module__, base.__qualname__) in ADOPTERS), None)


_targets: dict[type[torch.nn.Module], type[Adopted]] = {}


def target_of(written: type[torch.nn.Module], adopter: type[Adopted]) -> type[Adopted]:
    """A class with all of `written` but its forward; one for each class of theirs."""
    if written not in _targets:
        _targets[written] = adopter.before(written)
    return _targets[written]


@cache
def _loaded(name: str) -> type[Adopted]:
    file, _, cls = name.partition(".")
    found: type[Adopted] = getattr(import_module(f"{__name__}.{file}"), cls)
    return found
