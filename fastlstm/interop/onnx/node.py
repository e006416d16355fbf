"""A recurrent node of ONNX as a configuration and weights by torch's names, or the reason why it cannot be one."""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

import numpy as np
from fastlstm_lint.contract import GATES, Layer, parts
from numpy import ndarray
from onnx import helper

from fastlstm.interop.gates import from_order
from fastlstm.interop.onnx.graph import ORDER
from fastlstm.interop.onnx.scope import QUANTIZED, Place, Refused

ACTIVATIONS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}
"""For one direction, as ONNX has them by default; compared in lower case, which ONNX allows."""

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P",
          "W_scale", "W_zero_point", "R_scale", "R_zero_point")  # fmt: skip


def read(name: str, place: Place) -> tuple[Layer, dict[str, ndarray]]:
    """Configuration of one layer and its weights. ValueError, naming the node, where a layer differs."""
    return _Reader(name, place).read()


class _Reader:
    def __init__(self, name: str, place: Place) -> None:
        self.place, self.quantized = place, place.node.op_type == QUANTIZED[1]
        self.kind = "LSTM" if self.quantized else place.node.op_type
        self.title = f"{place.node.op_type} node {name!r}"
        self.inputs = dict(zip(INPUTS, place.node.input, strict=False))
        self.attributes = {entry.name: _plain(helper.get_attribute_value(entry)) for entry in place.node.attribute}

    def read(self) -> tuple[Layer, dict[str, ndarray]]:
        D = self._directions()
        nonlinearity = self._nonlinearity(D)
        self._refuse_the_rest()
        read = self._integers if self.quantized else partial(self._weight, rank=3)
        W, R = read("W"), read("R")
        B = self._weight("B", 2) if self.inputs.get("B") else None
        G = len(GATES[self.kind])
        H = int(self.attributes.get("hidden_size", 0)) or R.shape[-1]
        due = {"W": (W, (D, G * H, W.shape[-1])), "R": (R, (D, G * H, H)), "B": (B, (D, 2 * G * H))}
        for letter, (value, shape) in due.items():
            if value is not None and value.shape != shape:
                self._refuse(f"{letter} has shape {value.shape}, expected {shape}")
        parameters = {}
        for _, direction, suffix in parts(1, D):
            parameters[f"weight_ih{suffix}"] = self._reordered(W[direction])
            parameters[f"weight_hh{suffix}"] = self._reordered(R[direction])
            if B is not None:
                for part, value in zip(("ih", "hh"), np.split(B[direction], 2), strict=True):
                    parameters[f"bias_{part}{suffix}"] = self._reordered(value)
        config = Layer(self.kind, W.shape[-1], H, bias=B is not None, bidirectional=D == 2, nonlinearity=nonlinearity)
        return config, parameters

    def _directions(self) -> int:
        direction = self.attributes.get("direction", "forward")
        if direction not in ("forward", "bidirectional"):
            self._refuse(f"direction is {direction!r}, and a layer runs forward or in both directions")
        return 2 if direction == "bidirectional" else 1

    def _nonlinearity(self, D: int) -> str:
        """What an RNN layer is told; the gates of the others have no choice."""
        usual = ACTIVATIONS[self.kind] * D
        given = [entry.lower() for entry in self.attributes.get("activations", usual)]
        if self.kind == "RNN" and given == ["relu"] * D:
            return "relu"
        if given != usual:
            self._refuse(f"activations are {', '.join(self.attributes['activations'])}, expected {', '.join(usual)}")
        return "tanh"

    def _refuse_the_rest(self) -> None:
        found = self.attributes
        if "clip" in found:
            self._refuse(f"clip is {found['clip']:g}, and a layer does not clip")
        if found.get("input_forget", 0):
            self._refuse("input_forget is 1, which couples input and forget gate; a layer has both")
        if found.get("layout", 0):
            self._refuse("layout is 1, with states (B, D, H); a layer's states are never batch-first")
        if self.kind == "GRU" and not found.get("linear_before_reset", 0):
            self._refuse("linear_before_reset is 0: r is applied before the recurrent product, in torch and here after")
        if self.inputs.get("P"):
            self._refuse("it has peepholes (P)")

    def _integers(self, letter: str) -> ndarray:
        """(D, 4*H, K) of integers of 8 bits (D, K, 4*H), with a scale and a zero point for each direction or row."""
        found = {}
        for name in (letter, f"{letter}_scale", f"{letter}_zero_point"):
            value = self.place.scope.value(self.inputs[name]) if self.inputs.get(name) else None
            if value is None:
                self._refuse(f"its {name} is not constant")
            found[name] = value
        whole, *rest = found.values()
        if whole.ndim != 3 or whole.dtype not in (np.int8, np.uint8):
            self._refuse(f"{letter} is {whole.dtype} of shape {whole.shape}, expected 3 axes of int8 or uint8")
        for name, value in list(found.items())[1:]:
            if value.shape not in ((whole.shape[0],), (whole.shape[0], whole.shape[2])):
                self._refuse(f"{name} has shape {value.shape}, expected one number for each direction or row")
        scale, zero = (value.reshape(len(whole), 1, -1).astype(np.float32) for value in rest)
        return np.ascontiguousarray(((whole.astype(np.float32) - zero) * scale).swapaxes(1, 2))

    def _weight(self, letter: str, rank: int) -> ndarray:
        value = self.place.scope.value(self.inputs[letter]) if self.inputs.get(letter) else None
        if value is None:
            self._refuse(f"its {letter} is not constant")
        if value.ndim != rank:
            self._refuse(f"{letter} has shape {value.shape}, expected {rank} axes")
        if value.dtype not in (np.float32, np.float64):
            value = value.astype(np.float32)  # float16 and bfloat16: the schema has no others
        return value

    def _reordered(self, value: ndarray) -> ndarray:
        """(G*H, ...) with the gates in torch's order."""
        return from_order(self.kind, ORDER[self.kind], value)

    def _refuse(self, reason: str) -> NoReturn:
        raise Refused(f"{self.title} cannot be served: {reason}")


def _plain(value: Any) -> Any:
    """An attribute with str for bytes."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.decode() if isinstance(value, bytes) else value
