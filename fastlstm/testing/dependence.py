"""Which entries of a model's output depend on which entries of its input, along one axis of each.

Two kinds of evidence. A gradient that is not zero proves that the output depends on the input at this point; all zero
proves that it does not to first order, with the weights that the model has. A substitution, one entry of the input
replaced by other values, proves dependence if the output changes by more than rounding; it sees what has no gradient
(argmax, rounding, detach, token ids), but only for the values tried. Neither proves independence for every input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from .by_arrays import ArrayRunner
from .trial import Runner, Trial


@dataclass(frozen=True, slots=True)
class Dependence:
    """What was seen. Rows are `outputs`, columns are `inputs`: positions on the two axes.

    `gradient[i, j]` is the largest absolute derivative of a random mixture of output entry i by an element of input
    entry j, `change[i, j]` the largest change of an element of output entry i after input entry j was replaced. Each is
    None where it could not be had; `notes` say why.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    gradient: ndarray | None
    change: ndarray | None
    noise: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> ndarray:
        """Whether output entry i depends on input entry j: (outputs, inputs), bool."""
        shape = len(self.outputs), len(self.inputs)
        by_gradient = np.zeros(shape, bool) if self.gradient is None else np.nan_to_num(self.gradient) > self.noise[0]
        by_change = np.zeros(shape, bool) if self.change is None else self.change > self.noise[1]
        found: ndarray = by_gradient | by_change
        return found

    def evidence(self, row: int, column: int) -> str:
        """What shows the dependence of one pair, with its size."""
        if self.gradient is not None and self.gradient[row, column] > self.noise[0]:
            return f"gradient {self.gradient[row, column]:.2g}"
        assert self.change is not None
        return f"the output changes by {self.change[row, column]:.2g} when that input is replaced"

    def matrix(self, what: str = "") -> str:
        """The pairs as text: `#` depends, `.` does not."""
        width = max(len(str(j)) for j in (*self.inputs, *self.outputs))
        label = f"output {what}".rstrip()
        lines = [f"{'input':>{len(label) + width + 1}} " + " ".join(f"{j:>{width}}" for j in self.inputs)]
        for i, row in zip(self.outputs, self.found, strict=True):
            lines.append(f"{label} {i:>{width}} " + " ".join(f"{'#' if each else '.':>{width}}" for each in row))
        return "\n".join(lines)


def dependence(
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
) -> Dependence:
    """Which entries of `model(x, *args, **kwargs)` along `out_dim` depend on which entries of `x` along `dim`.

    `x` is a tensor or an array: of floats, or of integers such as token ids, which are replaced by others below `high`
    (by others of `x` itself when it is not given). Of several outputs, tensor number `output` is looked at, nested
    tuples and dicts read from left to right. The model is run as it stands, training mode or not, several times with
    the same random numbers from `seed`; buffers, gradients and torch's random state are left as they were.

    Raises ValueError where nothing can be said: a missing axis, NaN or infinity in the output, token ids without
    anything to replace them by, a model that gives different results for the same input and has no gradient either.
    """
    trial = Trial(model, x, dim, out_dim, output, args, kwargs or {}, high, seed)
    runner = _runner(trial)
    outputs, inputs = trial.positions(runner.outputs()), trial.positions(x.shape[dim])
    gradient, gradient_noise, no_gradient = runner.gradient(outputs, inputs)
    change, change_noise, no_change = runner.change(outputs, inputs)
    if gradient is None and change is None:
        raise ValueError(f"nothing can be said of this model: {no_gradient}; {no_change}")
    if gradient is not None and change is None and np.isnan(gradient).any():
        raise ValueError("some gradients are NaN, which neither shows nor excludes a dependence; choose another input")
    notes = tuple(note for note in (no_gradient, no_change) if note)
    return Dependence(outputs, inputs, gradient, change, (gradient_noise, change_noise), notes)


def _runner(trial: Trial) -> Runner:
    x = trial.x
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise TypeError(f"the input must be one tensor or array, got {type(x).__name__}; pass the others as args=(...)")
    if not -len(x.shape) <= trial.dim < len(x.shape):
        raise ValueError(f"the input has shape {tuple(x.shape)}, and no axis {trial.dim}")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        from .by_torch import TorchRunner

        return TorchRunner(trial)
    return ArrayRunner(trial)
