"""The two assertions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from .dependence import Dependence, dependence
from .slips import batch_slip, causal_slip


def assert_batch_independent(
    model: Callable[..., Any],
    x: Any,
    *,
    dim: int = 0,
    out_dim: int = 0,
    output: int = 0,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    high: int | None = None,
    seed: int = 0,
) -> None:
    """Fail if a sample's output depends on another sample's input.

    `model(x, *args, **kwargs)` is run as it stands, in training or evaluation mode; what else it is given stays fixed.
    `dim` is the batch axis of `x`, `out_dim` that of the output; of several outputs, tensor number `output` is looked
    at. `x` may hold token ids; `high` is their number. BatchNorm in training mode does mix samples, and is reported so:
    call `model.eval()` first to leave it out. What exactly is shown: see `fastlstm.testing.dependence`.

    Raises AssertionError that names a pair, the evidence and the probable slip; ValueError where nothing can be said.
    """
    seen = dependence(model, x, dim=dim, out_dim=out_dim, output=output, args=args, kwargs=kwargs, high=high, seed=seed)
    message = batch_complaint(model, seen, x.shape[dim])
    if message is not None:
        raise AssertionError(message)


def assert_causal(
    model: Callable[..., Any],
    x: Any,
    *,
    dim: int = 1,
    out_dim: int = 1,
    lookahead: int = 0,
    output: int = 0,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    high: int | None = None,
    seed: int = 0,
) -> None:
    """Fail if a step's output depends on a later step's input.

    As `assert_batch_independent`; `dim` and `out_dim` are the time axes, 1 for batch-first data and 0 for
    sequence-first. A step may look `lookahead` steps ahead. Of more than 32 steps, 32 are looked at, evenly spread.
    """
    seen = dependence(model, x, dim=dim, out_dim=out_dim, output=output, args=args, kwargs=kwargs, high=high, seed=seed)
    message = causal_complaint(model, seen, x.shape[dim], lookahead)
    if message is not None:
        raise AssertionError(message)


def batch_complaint(model: Any, seen: Dependence, size: int) -> str | None:
    """What is wrong with what was seen along the batch axis of an input of `size` samples; None if nothing is."""
    outputs = _size(seen, size, "samples")
    if outputs != size:
        return (
            f"the batch has {size} samples, and the output {outputs} entries along its axis: the batch was merged with "
            "another axis or indexed away (fastlstm explain FL201, FL306), or out_dim is not its batch axis"
        )
    pairs = seen.found & (np.array(seen.outputs)[:, None] != np.array(seen.inputs)[None, :])
    if not pairs.any():
        return None
    return _complaint("sample", seen, pairs, batch_slip(model, seen))


def causal_complaint(model: Any, seen: Dependence, size: int, lookahead: int = 0) -> str | None:
    """What is wrong with what was seen along the time axis of an input of `size` steps; None if nothing is."""
    outputs = seen.outputs[-1] + 1 if seen.outputs else 0
    if outputs != size:
        return (
            f"the input has {size} steps, and the output {outputs}: no output belongs to each step, or out_dim is wrong"
        )
    pairs = seen.found & (np.array(seen.inputs)[None, :] > np.array(seen.outputs)[:, None] + lookahead)
    if not pairs.any():
        return None
    return _complaint("step", seen, pairs, causal_slip(model, seen))


def _size(seen: Dependence, size: int, what: str) -> int:
    """The size of the output's axis; ValueError for an input that cannot show anything."""
    if size < 2:
        raise ValueError(f"an input of {size} {what} shows nothing; give at least 2")
    return seen.outputs[-1] + 1 if seen.outputs else 0


def _complaint(what: str, seen: Dependence, pairs: ndarray, slip: str) -> str:
    """The strongest pair, how many there are, all of them drawn, and the probable slip."""
    strength = np.where(pairs, 1.0, 0.0)
    if seen.gradient is not None:
        strength = np.where(pairs, np.nan_to_num(seen.gradient), 0.0)
    if seen.change is not None and not strength.any():
        strength = np.where(pairs, seen.change, 0.0)
    row, column = np.unravel_index(int(strength.argmax()), strength.shape)
    count = int(pairs.sum())
    return (
        f"{what} {seen.outputs[row]}'s output depends on {what} {seen.inputs[column]}'s input "
        f"({seen.evidence(int(row), int(column))}; {count} such pair{'s' if count > 1 else ''})\n\n"
        f"{seen.matrix(what)}\n\nProbably: {slip}."
    )
