"""The one place where the layers choose what computes for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Layer
from ..engine import Engine
from ..reference import Reference


def engine_of(config: Layer, dtype: np.dtype) -> Any:
    """The compiled engine, or for a projected layer the reference.

    The compiled gradient of weight_hr is wrong where hidden_size exceeds what the other columns of a row of sums leave
    room for (`Plan._sums_row`); its forward is right.
    """
    return Reference(config, dtype) if config.projected else Engine(config, dtype)
