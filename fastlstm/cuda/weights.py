"""The parameters of one layer on the device, its directions side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.cuda.arrays import as_device
from fastlstm.cuda.matrix import Library, copy, elementwise, fill, plus
from fastlstm.cuda.shim import cuda_module

cuda = cuda_module()


@dataclass(frozen=True)
class Weights:
    """w_ih: for each direction (G*H, I), the caller's own where it is on the device; w_hh (D, G*H, P), for backward,
    and turned (D, P, G*H), for forward; b_x (D, G*H): what is added to the input products; b_u (D, G*H): to the
    recurrent ones, where the cell splits its gates. With a projection w_hr (D, P, H), and turned (D, H, P)."""

    w_ih: list[Any]
    w_hh: Any
    w_hh_turned: Any
    b_x: Any
    b_u: Any
    w_hr: Any
    w_hr_turned: Any

    @classmethod
    def of(
        cls, parameters: Mapping[str, Any], config: Layer, layer: int, dtype: np.dtype, splits_gates: bool, lib: Library
    ) -> Weights:
        """Read from parameters by torch's names, host or device arrays."""
        D, rows, P = config.directions, len(config.gates) * config.hidden_size, config.output_size
        w_hh, w_hh_turned = lib.empty((D, rows, P), dtype), lib.empty((D, P, rows), dtype)
        projected = D if config.projected else 0
        w_hr = lib.empty((projected, P, config.hidden_size), dtype)
        w_hr_turned = lib.empty((projected, config.hidden_size, P), dtype)
        b_x, b_u = lib.empty((D, rows), dtype), lib.empty((D, rows), dtype)
        w_ih = []
        for _, d, suffix in config.parts_of(layer):

            def get(name: str, suffix: str = suffix) -> Any:
                return as_device(name + suffix, parameters[name + suffix], dtype)

            w_ih.append(get("weight_ih"))
            copy(get("weight_hh"), w_hh[d])
            elementwise(turn, rows * P, w_hh[d], w_hh_turned[d])
            if projected:
                copy(get("weight_hr"), w_hr[d])
                elementwise(turn, P * config.hidden_size, w_hr[d], w_hr_turned[d])
            if not config.bias:
                for bias in (b_x[d], b_u[d]):
                    elementwise(fill, rows, bias, dtype.type(0))
            elif splits_gates:
                copy(get("bias_ih"), b_x[d])
                copy(get("bias_hh"), b_u[d])
            else:
                elementwise(plus, rows, get("bias_ih"), get("bias_hh"), b_x[d])
        return cls(w_ih, w_hh, w_hh_turned, b_x, b_u, w_hr, w_hr_turned)


@cuda.jit
def turn(a, out):
    """Kernel: out = a transposed. Once for each change of the weights."""
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        row = i // out.shape[1]
        out[row, i - row * out.shape[1]] = a[i - row * out.shape[1], row]
