"""The parameters of one layer on the device, its directions side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastlstm.contract import Layer
from fastlstm.cuda.arrays import as_device
from fastlstm.cuda.matrix import Library, copy, elementwise, fill, plus


@dataclass(frozen=True)
class Weights:
    """w_ih: for each direction (G*H, I), the caller's own where it is on the device; w_hh (D, G*H, P); b_x (D, G*H):
    what is added to the input products; b_u (D, G*H): to the recurrent ones, where the cell splits its gates."""

    w_ih: list[Any]
    w_hh: Any
    b_x: Any
    b_u: Any

    @classmethod
    def of(
        cls, parameters: Mapping[str, Any], config: Layer, layer: int, dtype: np.dtype, splits_gates: bool, lib: Library
    ) -> Weights:
        """Read from parameters by torch's names, host or device arrays."""
        D, rows = config.directions, len(config.gates) * config.hidden_size
        w_hh = lib.empty((D, rows, config.output_size), dtype)
        b_x, b_u = lib.empty((D, rows), dtype), lib.empty((D, rows), dtype)
        w_ih = []
        for d, suffix in enumerate(suffixes(config, layer)):

            def get(name: str, suffix: str = suffix) -> Any:
                return as_device(name + suffix, parameters[name + suffix], dtype)

            w_ih.append(get("weight_ih"))
            copy(get("weight_hh"), w_hh[d])
            if not config.bias:
                for bias in (b_x[d], b_u[d]):
                    elementwise(fill, rows, bias, dtype.type(0))
            elif splits_gates:
                copy(get("bias_ih"), b_x[d])
                copy(get("bias_hh"), b_u[d])
            else:
                elementwise(plus, rows, get("bias_ih"), get("bias_hh"), b_x[d])
        return cls(w_ih, w_hh, b_x, b_u)


def suffixes(config: Layer, layer: int) -> list[str]:
    """The ends of a layer's parameter names, by direction."""
    return [f"_l{layer}" + "_reverse" * d for d in range(config.directions)]
