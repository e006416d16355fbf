"""One question about a model, and what every kind of model needs to answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy import ndarray

ENTRIES = 32
"""Entries of a longer axis that are looked at, evenly spread, first and last included: each costs a backward."""

TRIALS = 2
"""Substitutions per entry."""

GRADIENT_NOISE, CHANGE_NOISE = 16, 64
"""Rounding, in units of the type's epsilon times the largest gradient or output: less is taken for nothing."""


@dataclass(slots=True)
class Trial:
    """One question: the model, its input, and along which axes."""

    model: Callable[..., Any]
    x: Any
    dim: int
    out_dim: int
    output: int
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    high: int | None = None
    seed: int = 0

    def positions(self, size: int) -> tuple[int, ...]:
        """The entries of an axis that are looked at."""
        if size <= ENTRIES:
            return tuple(range(size))
        return tuple(sorted({round(at) for at in np.linspace(0, size - 1, ENTRIES)}))


class Runner(Protocol):
    """A kind of model: how it is run, differentiated and given other input."""

    def outputs(self) -> int:
        """The size of the output's axis."""

    def gradient(self, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> tuple[ndarray | None, float, str]:
        """Largest absolute gradients, the rounding below which they count for nothing, or None and why not."""

    def change(self, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> tuple[ndarray | None, float, str]:
        """Largest changes under substitution, the rounding, or None and why not."""


def leaves(value: Any, is_leaf: Callable[[Any], bool]) -> list[Any]:
    """The tensors of a nested output, from left to right; a packed sequence counts as one."""
    if is_leaf(value) or hasattr(value, "batch_sizes"):
        return [value]
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item, is_leaf)]
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item, is_leaf)]
    return []


def pick(value: Any, trial: Trial, is_leaf: Callable[[Any], bool]) -> Any:
    """The output that is looked at, its axis checked."""
    found = leaves(value, is_leaf)
    if not found:
        raise ValueError(f"the model gives no tensor but {type(value).__name__}")
    if not 0 <= trial.output < len(found):
        raise ValueError(f"the model gives {len(found)} tensors, so there is no output={trial.output}")
    result = found[trial.output]
    if not is_leaf(result):
        raise ValueError("that output is a packed sequence, whose rows are of all samples: let the model pad it")
    if not -len(result.shape) <= trial.out_dim < len(result.shape):
        raise ValueError(f"the output has shape {tuple(result.shape)}, and no axis {trial.out_dim}")
    return result


def replacement(x: ndarray, dim: int, entry: int, high: int | None, rng: np.random.Generator) -> ndarray:
    """`x` with other values in one entry along `dim`."""
    other = np.array(x)
    here = np.moveaxis(other, dim, 0)
    old = here[entry].copy()
    if x.dtype == bool:
        here[entry] = ~old
    elif np.issubdtype(x.dtype, np.integer):
        values = np.unique(x) if high is None else np.arange(high, dtype=x.dtype)
        if len(values) < 2:
            raise ValueError("all ids of the input are equal: give one with different ids, or high=, the number of ids")
        here[entry] = rng.choice(values, old.shape)
        if old.size and (here[entry] == old).all():
            here[entry] = np.where(old == values[0], values[-1], values[0])
    else:
        scale = float(np.std(x)) or 1.0
        here[entry] = old + scale * rng.standard_normal(old.shape).astype(x.dtype)
    return other
