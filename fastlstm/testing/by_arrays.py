"""Dependence in fastlstm's layers, by their backward, and in any other function of an array, by substitution."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy import ndarray

from .trial import CHANGE_NOISE, GRADIENT_NOISE, TRIALS, Trial, pick, replacement

Answer = tuple[ndarray | None, float, str]


class ArrayRunner:
    """A layer or function on arrays. Each run is one of a copy, so that dropout draws the same mask every time."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.x = np.asarray(trial.x)
        self.base = self._run(self.x)
        if not np.isfinite(self.base).all():
            bad = np.moveaxis(~np.isfinite(self.base), trial.out_dim, 0).reshape(self.base.shape[trial.out_dim], -1)
            entry = int(bad.any(1).argmax())
            raise ValueError(f"the output has NaN or infinity in entry {entry}; choose another input")

    def outputs(self) -> int:
        return int(self.base.shape[self.trial.out_dim])

    def _run(self, x: ndarray) -> ndarray:
        trial = self.trial
        result = copy.deepcopy(trial.model)(x, *trial.args, **trial.kwargs)
        return np.asarray(pick(result, trial, _is_array))

    def gradient(self, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> Answer:
        trial = self.trial
        if not _has_backward(trial):
            return None, 0.0, "no layer of fastlstm in training mode with one output: substitution only"
        mixture = np.random.default_rng(trial.seed).standard_normal(self.base.shape).astype(self.base.dtype)
        table = np.zeros((len(outputs), len(inputs)))
        for row, i in enumerate(outputs):
            layer: Any = copy.deepcopy(trial.model)
            layer(self.x)
            grad_output = np.zeros_like(mixture)
            index = (slice(None),) * (trial.out_dim % mixture.ndim) + (i,)
            grad_output[index] = mixture[index]
            grad = layer.backward(grad_output)
            grad_x = np.moveaxis(np.asarray(grad[0] if isinstance(grad, tuple) else grad), trial.dim, 0)
            table[row] = np.abs(grad_x).reshape(len(grad_x), -1).max(1, initial=0.0)[list(inputs)]
        noise = GRADIENT_NOISE * _epsilon(self.x, self.base) * float(np.nanmax(table, initial=0.0))
        return table, noise, ""

    def change(self, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> Answer:
        trial, base = self.trial, self.base
        noise = CHANGE_NOISE * _epsilon(self.x, base) * float(np.abs(base).max(initial=0.0))
        if _distance(self._run(self.x), base).max(initial=0.0) > noise:
            return None, 0.0, "the model gives other results for the same input again: no substitution"
        table = np.zeros((len(outputs), len(inputs)))
        rng = np.random.default_rng(trial.seed)
        for column, j in enumerate(inputs):
            for _ in range(TRIALS):
                changed = self._run(replacement(self.x, trial.dim, j, trial.high, rng))
                if changed.shape != base.shape:
                    raise ValueError(f"the output's shape is {base.shape}, and {changed.shape} for other values")
                distance = np.moveaxis(_distance(changed, base), trial.out_dim, 0).reshape(self.outputs(), -1)
                moved = np.nan_to_num(distance.max(1, initial=0.0), nan=np.inf)
                table[:, column] = np.maximum(table[:, column], moved[list(outputs)])
        return table, noise, ""


def _has_backward(trial: Trial) -> bool:
    """Whether the model is a layer whose `backward` takes the gradient of the output that is looked at."""
    from fastlstm.layers import GRU, LSTM, RNN, Dropout, Linear

    plain = trial.output == 0 and not trial.args and not trial.kwargs
    model = trial.model
    return isinstance(model, (LSTM, GRU, RNN, Linear, Dropout)) and model.training and plain


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


def _distance(a: ndarray, b: ndarray) -> ndarray:
    if a.shape != b.shape:
        return np.full(b.shape, np.inf)
    distance: ndarray = np.abs(a - b) if np.issubdtype(b.dtype, np.inexact) else (a != b).astype(float)
    return distance


def _epsilon(*arrays: ndarray) -> float:
    return max((float(np.finfo(a.dtype).eps) for a in arrays if np.issubdtype(a.dtype, np.inexact)), default=0.0)
