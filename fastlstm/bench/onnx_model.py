"""A workload as an ONNX model: what ONNX Runtime and OpenVINO run."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fastlstm.bench.workload import Problem

# For each of ONNX's gates its place in torch's order: i o f c from i f g o, and z r h from r z n.
GATE_ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def feeds(problem: Problem) -> dict[str, np.ndarray]:
    """The model's inputs."""
    return {"x": problem.x, **dict(zip(("h_0", "c_0"), problem.states, strict=False))}


def named(outputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The model's outputs by name, in the order in which it gives them."""
    return dict(zip(("output", "h_n", "c_n"), outputs, strict=False))


def model(problem: Problem) -> bytes:
    """The serialised model: one recurrent node per layer, the weights as constants.

    ONNX gives the output as (T, D, B, H): a transpose and a reshape make it torch's (T, B, D*H) between the layers.
    """
    work = problem.workload
    states = ("h", "c")[: len(problem.states)]
    nodes, constants = [], [_constant("merged", np.array([0, 0, -1]))]
    for state in states:
        parts = [f"{state}_0_{layer}" for layer in range(work.L)]
        nodes.append(helper.make_node("Split", [f"{state}_0"], parts, axis=0, num_outputs=work.L))
    source = "x"
    for layer in range(work.L):
        weights = [f"{kind}_{layer}" for kind in ("W", "R", "B")]
        constants += [_constant(name, value) for name, value in zip(weights, _stacked(problem, layer), strict=True)]
        initial = [f"{state}_0_{layer}" for state in states]
        final = [f"{state}_n_{layer}" for state in states]
        options: dict[str, Any] = {"hidden_size": work.H, "direction": "bidirectional" if work.D == 2 else "forward"}
        if work.cell == "GRU":
            options["linear_before_reset"] = 1  # torch's equations
        if work.cell == "RNN":
            options["activations"] = ["Tanh"] * work.D
        inputs = [source, *weights, "", *initial]
        nodes.append(helper.make_node(work.cell, inputs, [f"y_{layer}", *final], **options))
        nodes.append(helper.make_node("Transpose", [f"y_{layer}"], [f"t_{layer}"], perm=[0, 2, 1, 3]))
        source = "output" if layer == work.L - 1 else f"m_{layer}"
        nodes.append(helper.make_node("Reshape", [f"t_{layer}", "merged"], [source]))
    for state in states:
        parts = [f"{state}_n_{layer}" for layer in range(work.L)]
        nodes.append(helper.make_node("Concat", parts, [f"{state}_n"], axis=0))
    shapes = {name: value.shape for name, value in feeds(problem).items()}
    results = {"output": problem.grad.shape, **{f"{state}_n": problem.states[0].shape for state in states}}
    graph = helper.make_graph(nodes, work.name, _declared(shapes), _declared(results), constants)
    # opset 18 brought Split's num_outputs; IR version 8 goes with it
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def _stacked(problem: Problem, layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (D, G*H, I), R (D, G*H, H) and B (D, 2*G*H) with the gates in ONNX's order."""
    work, found = problem.workload, problem.parameters
    suffixes = [f"l{layer}", f"l{layer}_reverse"][: work.D]

    def reordered(name: str) -> np.ndarray:
        gates = np.split(found[name], len(GATE_ORDER[work.cell]))
        return np.concatenate([gates[gate] for gate in GATE_ORDER[work.cell]])

    return (
        np.stack([reordered(f"weight_ih_{suffix}") for suffix in suffixes]),
        np.stack([reordered(f"weight_hh_{suffix}") for suffix in suffixes]),
        np.stack(
            [np.concatenate([reordered(f"bias_{kind}_{suffix}") for kind in ("ih", "hh")]) for suffix in suffixes]
        ),
    )


def _constant(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def _declared(shapes: dict[str, tuple[int, ...]]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
