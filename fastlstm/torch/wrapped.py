"""Users' subclasses of torch's recurrent classes: a class on top of theirs, whose `super().forward` is ours."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastlstm.torch.module import forget

WRITTEN = "_fastlstm_written"
"""In such a class: the class that the user wrote."""

TOLERANCE = 1e-4
"""Between torch's output and ours in the trial call, of values that lie between -1 and 1."""


def on_top(written: type, ours: type) -> type:
    """A class with all of `written`, a subclass of `ours.original`; `ours` stands behind it in the order of methods.

    Pickles as `written`. TypeError where Python finds no order.
    """
    return type(written.__name__, (written, ours), {WRITTEN: written, "__module__": written.__module__} | PICKLED)


def _reduce(self: Any, protocol: Any) -> Any:
    plain = copy.copy(self)
    plain.__class__ = getattr(type(self), WRITTEN)
    forget(plain)
    return plain.__reduce_ex__(1)  # the later ways say the class of the instance once more, and pickle compares


PICKLED = {"__reduce_ex__": _reduce}


def objection(module: torch.nn.Module, target: type) -> str | None:
    """Why `module` may not become a `target`: by a trial call of a copy of each class, in eval mode, without hooks.

    The module itself, its buffers and torch's random numbers are left as they are; what the user's `forward` does
    besides happens twice.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            theirs, ours = copy.deepcopy(module).eval(), copy.deepcopy(module).eval()
            ours.__class__ = target
            forget(ours)
            x = _input(module)
            due, found = theirs.forward(x), ours.forward(x)
        except Exception as error:
            return f"its forward could not be tried: {type(error).__name__}: {error}".split("\n")[0]
    if not ours.was_called or ours.declined:
        return "its forward does not come to torch's"
    return None if _same(due, found) else "its forward gives other values with our kernels"


def _input(module: Any) -> Tensor:
    """Three steps of two samples, or two samples for a cell."""
    shape = (2,) if isinstance(module, torch.nn.RNNCellBase) else (2, 3) if module.batch_first else (3, 2)
    like = next(module.parameters())
    return torch.randn(*shape, module.input_size, dtype=like.dtype, device=like.device)


def _same(due: Any, found: Any) -> bool:
    if isinstance(due, Tensor):
        return (
            isinstance(found, Tensor)
            and due.shape == found.shape
            and torch.allclose(due, found, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        )
    if isinstance(due, PackedSequence):
        return isinstance(found, PackedSequence) and _same(due.data, found.data)
    if isinstance(due, tuple | list):
        return type(due) is type(found) and len(due) == len(found) and all(map(_same, due, found))
    if isinstance(due, dict):
        return isinstance(found, dict) and due.keys() == found.keys() and all(_same(due[k], found[k]) for k in due)
    return bool(due is found or due == found)
