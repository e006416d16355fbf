"""Losses. Each returns the value and the gradient of its first argument, ready for `backward`."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from ..errors import refuse_shape
from .arrays import float_dtype, plain


def cross_entropy(logits: ndarray, targets: ndarray, *, ignore_index: int = -100) -> tuple[float, ndarray]:
    """Mean of -log softmax(logits)[target] over all targets that are not `ignore_index`, in nats.

    logits: (..., C), float32 or float64; targets: (...) ints from 0 to C - 1. The classes come last, where torch has
    them second: tokens (T, B) and logits (T, B, C) fit as they are.
    Returns the loss (NaN where every target is ignored) and the gradient of logits (..., C).
    """
    _check_float("logits", logits)
    if plain("targets", targets, "numpy array of ints").dtype.kind not in "iu":
        raise ValueError(f"targets are {targets.dtype}, expected ints")
    if logits.ndim < 1 or targets.shape != logits.shape[:-1]:
        refuse_shape("targets", targets.shape, f"{logits.shape[:-1]}, as logits {logits.shape} without the classes")
    classes, counted = logits.shape[-1], targets != ignore_index
    if np.any(counted & ((targets < 0) | (targets >= classes))):
        raise ValueError(f"targets run from {targets.min()} to {targets.max()}, expected 0 to {classes - 1}")
    total = np.count_nonzero(counted)
    if not total:
        return float("nan"), np.zeros_like(logits)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=-1, keepdims=True)
    at = np.where(counted, targets, 0)[..., None]
    losses = np.log(sums) - np.take_along_axis(shifted, at, axis=-1)
    grad = exponentials / sums
    np.put_along_axis(grad, at, np.take_along_axis(grad, at, axis=-1) - 1, axis=-1)
    grad *= counted[..., None] / logits.dtype.type(total)
    return float(losses[counted].mean(dtype=np.float64)), grad


def mse_loss(prediction: ndarray, target: ndarray) -> tuple[float, ndarray]:
    """Mean of (prediction - target)**2 over all entries, and the gradient of prediction. One shape, no broadcasting."""
    _check_float("prediction", prediction)
    if prediction.shape != plain("target", target, "numpy array").shape:
        refuse_shape("target", target.shape, f"{prediction.shape} as the prediction")
    difference = (prediction - target).astype(prediction.dtype, copy=False)
    loss = float(np.square(difference).mean(dtype=np.float64)) if difference.size else float("nan")
    return loss, difference * difference.dtype.type(2 / max(difference.size, 1))


def _check_float(name: str, value: ndarray) -> None:
    try:
        float_dtype(plain(name, value, "numpy array").dtype)
    except ValueError:
        raise ValueError(f"{name} are {value.dtype}, expected float32 or float64") from None
