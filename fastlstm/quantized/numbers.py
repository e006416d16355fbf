"""Parameters in fewer bits: integers with a scale for each row, or numbers of 16 bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from fastlstm_lint.contract import ROUNDED
from numpy import ndarray

from ..spec.narrow import Rounding, of_parameter


class Unroundable(ValueError):
    """Of a weight that fewer bits cannot hold."""


WEIGHTS = tuple(ROUNDED)
"""What the weights of a layer can be made into."""

MATRICES = tuple(ROUNDED["int8"])
"""The parameters that are; all others are few, and stay as they are."""


def bare(name: str) -> str:
    """The name of a parameter without prefix, layer and direction: "weight_ih" of "encoder.weight_ih_l0_reverse"."""
    return name.rpartition(".")[2].rpartition("_l")[0]


def rounded(parameters: Mapping[str, ndarray], weights: str) -> dict[str, ndarray]:
    """The parameters by name, with matrices as float16, or as integers and beside each its scales, `..._scale` (rows,).

    A row is scale times integers. ValueError, naming the parameter, where a weight is not finite, or too large.
    """
    found: dict[str, ndarray] = {}
    for name, value in parameters.items():
        if bare(name) not in MATRICES:
            found[name] = value.copy()
            continue
        if not np.isfinite(value).all():
            raise Unroundable(f"{name} holds NaN or infinity: it cannot be rounded to {weights}")
        if weights == "int8":
            found[name], found[f"{name}_scale"] = rows_to_integers(value, of_parameter(bare(name)))
        else:
            with np.errstate(over="ignore"):
                found[name] = value.astype(np.float16)
            if not np.isfinite(found[name]).all():
                raise Unroundable(f"{name} holds {np.abs(value).max():.4g}, and float16 ends at 65504")
    return found


def rows_to_integers(matrix: ndarray, rounding: Rounding) -> tuple[ndarray, ndarray]:
    """Integers within +-rounding.weights (rows, columns), int8 or int16, and scales (rows,) by which they are
    multiplied."""
    limit, kind = rounding.weights, np.int8 if rounding.in_bytes else np.int16
    scales = (np.abs(matrix).max(axis=1) / np.float32(limit)).astype(np.float32)
    with np.errstate(all="ignore"):
        whole = np.rint(matrix.astype(np.float64) / scales[:, None].astype(np.float64))
    return np.clip(np.where(scales[:, None] > 0, whole, 0), -limit, limit).astype(kind), scales


def restored(parameters: Mapping[str, ndarray]) -> dict[str, ndarray]:
    """The parameters in float32 again, under the names that they had."""
    found = {}
    for name, value in parameters.items():
        if bare(name) in MATRICES and not name.endswith("_scale"):
            scales = parameters.get(f"{name}_scale")
            found[name] = value.astype(np.float32) * (1 if scales is None else scales[:, None])
        elif not name.endswith("_scale"):
            found[name] = value.copy()
    return found
