"""From what a dependence looks like, and what is inside the model, to the probable mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .dependence import Dependence


def batch_slip(model: Any, seen: Dependence) -> str:
    """Why samples of a batch may depend on each other."""
    found = seen.found
    others = found & ~_same(seen)
    everything = bool(others[~_same(seen)].all())
    norms = _modules(model, _mixing_norm)
    if norms and everything:
        return (
            f"{_names(norms)} takes its statistics from the batch in training mode, and so mixes samples: that is "
            "real, and how it is meant. Call model.eval() first to test the model as it is used later"
        )
    sequence_first = _modules(model, lambda module: _recurrent(module) and not _option(module, "batch_first"))
    if sequence_first and (everything or _runs_forward(others, seen)):
        return (
            f"{_names(sequence_first)} runs along axis 0 of its input: if that is the batch, batch_first=True is "
            "missing (fastlstm explain FL203)"
        )
    if (_same(seen) & ~found).any():
        return (
            "some samples do not depend on their own input: a view or reshape that should have been a transpose "
            "(fastlstm explain FL204 and FL205), or output[-1] of a batch-first output (FL201)"
        )
    if everything:
        return (
            "a mean, softmax or norm over the batch axis (fastlstm explain FL603), or a view that scrambles batch and "
            "time (fastlstm explain FL204 and FL205)"
        )
    return "a view or reshape that merges the batch with another axis (fastlstm explain FL204 and FL205)"


def causal_slip(model: Any, seen: Dependence) -> str:
    """Why a step may depend on a later one."""
    both_ways = _modules(model, lambda module: _recurrent(module) and _option(module, "bidirectional"))
    if both_ways:
        return f"{_names(both_ways)} is bidirectional: its backward direction reads the later steps first"
    norms = _modules(model, _mixing_norm)
    if norms:
        return f"{_names(norms)} takes its statistics from all steps in training mode; call model.eval() first"
    batch_first = _modules(model, lambda module: _recurrent(module) and _option(module, "batch_first"))
    later = seen.found & _later(seen, 0)
    if later.sum() == _later(seen, 0).sum():
        hint = "attention without a mask, or a mean, softmax or norm over time"
        return hint + (f"; or {_names(batch_first)} runs along another axis than time" if batch_first else "")
    return "a convolution whose padding looks ahead, a flip, or a view that merges time with another axis"


def _same(seen: Dependence) -> ndarray:
    return np.array(seen.outputs)[:, None] == np.array(seen.inputs)[None, :]


def _later(seen: Dependence, lookahead: int) -> ndarray:
    """Which pairs are of an input after the output."""
    later: ndarray = np.array(seen.inputs)[None, :] > np.array(seen.outputs)[:, None] + lookahead
    return later


def _runs_forward(others: ndarray, seen: Dependence) -> bool:
    """Whether every output depends on the inputs before it, and on none behind it."""
    earlier = np.array(seen.inputs)[None, :] < np.array(seen.outputs)[:, None]
    return bool(earlier.any() and others[earlier].all() and not others[_later(seen, 0)].any())


def _modules(model: Any, wanted: Callable[[Any], bool]) -> list[tuple[str, Any]]:
    """The parts of a torch model that are of one kind, with their names; of arrays, the layer itself."""
    named = model.named_modules() if hasattr(model, "named_modules") else [("", model)]
    return [(name, module) for name, module in named if wanted(module)]


def _recurrent(module: Any) -> bool:
    return all(hasattr(_config(module), name) for name in ("bidirectional", "batch_first", "hidden_size"))


def _option(module: Any, name: str) -> bool:
    return bool(getattr(_config(module), name))


def _config(module: Any) -> Any:
    """Where a layer keeps its options: fastlstm's on arrays in their `config`, torch's in themselves."""
    return getattr(module, "config", module)


def _mixing_norm(module: Any) -> bool:
    torch = sys.modules.get("torch")
    is_norm = torch is not None and isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    return is_norm and (module.training or not module.track_running_stats)


def _names(found: list[tuple[str, Any]]) -> str:
    words = [f"{type(module).__name__} {name!r}" if name else type(module).__name__ for name, module in found[:3]]
    return ", ".join(words) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
