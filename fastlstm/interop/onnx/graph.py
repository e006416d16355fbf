"""A stack of layers as an ONNX model: one recurrent node per layer, the weights as constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from fastlstm_lint.contract import Layer, Shape
from numpy import ndarray
from onnx import helper, numpy_helper

from fastlstm.interop.gates import to_order

ORDER = {"LSTM": ("i", "o", "f", "g"), "GRU": ("z", "r", "n"), "RNN": ("h",)}
"""ONNX's order of the gates by the contract's names: its c and h are torch's candidates g and n."""

# Opset 18 brought Split's num_outputs; IR version 8 goes with it.
OPSET, IR_VERSION = 18, 8


def build(
    config: Layer, parameters: Mapping[str, ndarray], *, T: int | None = None, B: int | None = None
) -> onnx.ModelProto:
    """A checked model. Inputs x, h_0, c_0 and outputs output, h_n, c_n have the contract's shapes; T and B may be free.

    ONNX gives a layer's output as (T, D, B, H): a transpose and a reshape make it torch's (T, B, D*H).
    ValueError for a projection.
    """
    if config.projected:
        raise ValueError(f"proj_size is {config.proj_size}: an LSTM node of ONNX has no projection")
    L, states = config.num_layers, config.state_names
    nodes, constants = [], [numpy_helper.from_array(np.array([0, 0, -1]), "merged")]
    for state in states:
        parts = [f"{state}_0_{layer}" for layer in range(L)]
        nodes.append(helper.make_node("Split", [f"{state}_0"], parts, axis=0, num_outputs=L))
    source = "x"
    if config.batch_first:
        source = "by_time"
        nodes.append(helper.make_node("Transpose", ["x"], [source], perm=[1, 0, 2]))
    for layer in range(L):
        weights = _weights(config, parameters, layer)
        constants += [numpy_helper.from_array(value, f"{name}_{layer}") for name, value in weights.items()]
        inputs = [source, f"W_{layer}", f"R_{layer}", f"B_{layer}" if config.bias else "", ""]
        inputs += [f"{state}_0_{layer}" for state in states]
        outputs = [f"y_{layer}", *(f"{state}_n_{layer}" for state in states)]
        nodes.append(helper.make_node(config.kind, inputs, outputs, f"layer_{layer}", **_attributes(config)))
        is_last = layer == L - 1
        order = [2, 0, 1, 3] if is_last and config.batch_first else [0, 2, 1, 3]
        nodes.append(helper.make_node("Transpose", [f"y_{layer}"], [f"t_{layer}"], perm=order))
        source = "output" if is_last else f"m_{layer}"
        nodes.append(helper.make_node("Reshape", [f"t_{layer}", "merged"], [source]))
    for state in states:
        parts = [f"{state}_n_{layer}" for layer in range(L)]
        nodes.append(helper.make_node("Concat", parts, [f"{state}_n"], axis=0))
    kind = helper.np_dtype_to_tensor_dtype(parameters["weight_ih_l0"].dtype)
    # The contract's shapes take any integer for a size; the axes that are free get their letter back.
    free = {"T": T, "B": B}

    def declared(name: str, shape: Shape) -> onnx.ValueInfoProto:
        sizes = [free[axis.letters] or axis.letters if axis.letters in free else axis.size for axis in shape]
        return helper.make_tensor_value_info(name, kind, sizes)

    given = {f"{state}_0": shape for state, shape in config.states(B or 1).items()}
    final = {f"{state}_n": shape for state, shape in config.states(B or 1).items()}
    made = helper.make_model(
        helper.make_graph(
            nodes,
            config.kind,
            [declared(name, shape) for name, shape in {"x": config.input(T or 1, B or 1), **given}.items()],
            [declared(name, shape) for name, shape in {"output": config.output(T or 1, B or 1), **final}.items()],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastlstm",
    )
    onnx.checker.check_model(made)
    return made


def _attributes(config: Layer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hidden_size": config.hidden_size,
        "direction": "bidirectional" if config.bidirectional else "forward",
    }
    if config.kind == "GRU":
        found["linear_before_reset"] = 1  # torch's equations
    if config.kind == "RNN":
        found["activations"] = [config.nonlinearity.capitalize()] * config.directions
    return found


def _weights(config: Layer, parameters: Mapping[str, ndarray], layer: int) -> dict[str, ndarray]:
    """W (D, G*H, I), R (D, G*H, H) and perhaps B (D, 2*G*H) with the gates in ONNX's order."""
    suffixes = [part.suffix for part in config.parts_of(layer)]

    def reordered(name: str) -> ndarray:
        return to_order(config.kind, ORDER[config.kind], parameters[name])

    found = {
        "W": np.stack([reordered(f"weight_ih{suffix}") for suffix in suffixes]),
        "R": np.stack([reordered(f"weight_hh{suffix}") for suffix in suffixes]),
    }
    if config.bias:
        both = [[reordered(f"bias_{part}{suffix}") for part in ("ih", "hh")] for suffix in suffixes]
        found["B"] = np.stack([np.concatenate(pair) for pair in both])
    return found
