"""Where recurrent nodes stand in a model, and what is constant there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from fastlstm_lint.contract import GATES
from numpy import ndarray
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator

FOLDED = frozenset(
    ("Cast", "Concat", "Constant", "ConstantOfShape", "DequantizeLinear", "Expand", "Gather", "Identity", "Reshape",
     "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
)  # fmt: skip
"""What exporters leave between a stored weight and the node that uses it."""

LARGEST = 1 << 28
"""Numbers in a constant that is computed here: a model of a hundred bytes can ask for any number of them."""

STANDARD = ("", "ai.onnx")

QUANTIZED = ("com.microsoft", "DynamicQuantizeLSTM")
"""Domain and type of what ONNX Runtime's quantize_dynamic makes of an LSTM node."""


class Refused(ValueError):
    """A model or node that is understood, and not served; the message says what and why."""


class Scope:
    """A graph and those around it: which names are constant, and their values."""

    def __init__(self, graph: GraphProto, opset: int, outer: Scope | None = None) -> None:
        self._opset, self._outer = opset, outer
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._made: dict[str, ndarray | None] = {}
        self._makers = {name: node for node in graph.node for name in node.output if name}

    def value(self, name: str) -> ndarray | None:
        """The value of `name`, or None where it depends on the model's inputs."""
        if name in self._stored:
            return _array(self._stored[name])
        maker = self._makers.get(name)
        if maker is None:
            return self._outer.value(name) if self._outer else None
        if name not in self._made:
            self._made[name] = None  # meanwhile: what depends on itself is not constant
            self._made[name] = self._computed(name, maker)
        return self._made[name]

    def _computed(self, name: str, maker: NodeProto) -> ndarray | None:
        """What a node of FOLDED makes of constants."""
        if maker.domain not in STANDARD or maker.op_type not in FOLDED:
            return None
        given: dict[str, Any] = {source: self.value(source) for source in dict.fromkeys(maker.input) if source}
        if any(value is None for value in given.values()):
            return None
        numbers = _numbers(maker, [given[source] for source in maker.input if source])
        if numbers > LARGEST:
            raise ValueError(f"the constant {name!r} would have {numbers} numbers")
        made: Any = ReferenceEvaluator(maker, opsets={"": self._opset}).run(None, given)
        return made[list(maker.output).index(name)]


@dataclass(frozen=True)
class Place:
    """A recurrent node and the scope in which its inputs have their names."""

    node: NodeProto
    scope: Scope


def recurrent_nodes(model: onnx.ModelProto) -> dict[str, Place]:
    """The LSTM, GRU, RNN and DynamicQuantizeLSTM nodes of a model in its order, by name.

    Also those in functions and in nested graphs.
    """
    if model.functions:
        model = inline_local_functions(model)
    opset = max((entry.version for entry in model.opset_import if entry.domain in STANDARD), default=1)
    found: dict[str, Place] = {}
    for name, place in _walk(model.graph, opset, None, ""):
        # Names of nodes need not be unique, names of outputs are.
        found[f"{name}:{_output(place.node)}" if name in found else name] = place
    return found


def _walk(graph: GraphProto, opset: int, outer: Scope | None, path: str) -> Iterator[tuple[str, Place]]:
    scope = Scope(graph, opset, outer)
    for node in graph.node:
        name = path + (node.name or _output(node))
        standard = node.domain in STANDARD and node.op_type in GATES
        if standard or (node.domain, node.op_type) == QUANTIZED:
            yield name, Place(node, scope)
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _walk(helper.get_attribute_value(attribute), opset, scope, f"{name}/{attribute.name}/")


def _numbers(node: NodeProto, given: list[ndarray]) -> int:
    """How many numbers a node of FOLDED makes, or at most makes."""
    if node.op_type == "ConstantOfShape":
        return prod(map(int, given[0].ravel()))
    if node.op_type == "Expand":
        return prod(np.broadcast_shapes(given[0].shape, tuple(map(int, given[1].ravel()))))
    if node.op_type == "Gather":
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        return given[0].size // max(given[0].shape[axis], 1) * given[1].size
    return sum(value.size for value in given)


def _output(node: NodeProto) -> str:
    return next((name for name in node.output if name), node.op_type)


def _array(tensor: TensorProto) -> ndarray:
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError(f"the values of {tensor.name!r} are in another file: give the model by its path")
    return numpy_helper.to_array(tensor)
