"""Layers from and to the LSTM, GRU and RNN nodes of ONNX models. Needs the package onnx.

`graph.py` writes a configuration and weights as a model, `scope.py` finds recurrent nodes and their constant inputs in
one, `node.py` reads a node.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from fastlstm_lint.contract import GATES
from google.protobuf.message import DecodeError

from fastlstm.errors import refuse_type
from fastlstm.interop.onnx import graph, node, scope
from fastlstm.layers import GRU, LSTM, RNN

Layer = LSTM | GRU | RNN
CLASSES: dict[str, type[Any]] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}


def from_onnx(
    model: str | os.PathLike[str] | bytes | onnx.ModelProto, nodes: Iterable[str] | None = None
) -> dict[str, Layer]:
    """A layer for each LSTM, GRU and RNN node of a model, by the node's name, in eval mode.

    model: a path, the bytes of a file, or a ModelProto. Nodes inside an If or a Loop are named `if_node/branch/node`, a
    node without a name has that of its first output. A node is one layer of one or two directions; `stack` joins
    successive ones. float32 and float64 stay; float16 and bfloat16 weights become float32, exactly.
    DynamicQuantizeLSTM, which ONNX Runtime's quantize_dynamic makes, is read as an LSTM of just these weights in
    float32; `fastlstm.quantize` rounds it again. Of a node only configuration and weights are read: sequence lengths
    and initial states belong to a call.

    `nodes` names the nodes wanted, where not all can be served. ValueError, naming the node, for what a layer does not
    compute: peepholes, clip, input_forget, other activations, linear_before_reset=0, direction="reverse", layout=1, or
    weights that are not constant. KeyError for a name that is not there.
    """
    title = str(model) if isinstance(model, str | os.PathLike) else "the model"
    loaded = _loaded(model, title)
    with _damage(title):
        found = scope.recurrent_nodes(loaded)
    if not found:
        raise ValueError(f"the model has no {', '.join(GATES)} node")
    wanted = list(found) if nodes is None else list(nodes)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise KeyError(f"{unknown[0]!r} is no recurrent node of the model; there are {', '.join(found)}")
    layers = {}
    for name in wanted:
        with _damage(f"{title}: node {name!r}"):
            layers[name] = _layer(name, found[name])
    return layers


def to_onnx(layer: Layer, *, T: int | None = None, B: int | None = None) -> onnx.ModelProto:
    """A model that computes what the layer computes in eval mode: `onnx.save(to_onnx(lstm), "lstm.onnx")`.

    Its inputs are x, (T, B, I) or (B, T, I) with batch_first, h_0 and, for an LSTM, c_0; its outputs are output, h_n
    and c_n; shapes and dtype are the layer's. T and B are free unless they are given here. Every layer of the stack is
    a node of its own. TypeError for anything but LSTM, GRU and RNN; ValueError for a projection, which ONNX lacks.
    """
    if not isinstance(layer, LSTM | GRU | RNN):
        refuse_type("layer", layer, "fastlstm.LSTM, GRU or RNN")
    return graph.build(layer.config, layer.state_dict(), T=T, B=B)


def stack(layers: Sequence[Layer]) -> Layer:
    """One stack of several layers, the first below: what `to_onnx` wrote as successive nodes.

    ValueError where they do not fit: kinds, directions, hidden sizes, biases, dtypes, or an input of another width.
    """
    if not layers:
        raise ValueError("layers are empty, expected at least one")
    first = layers[0].config
    parameters: dict[str, np.ndarray] = {}
    for k, layer in enumerate(layers):
        config = layer.config
        width = first.input_size if k == 0 else first.directions * first.hidden_size
        due = (first.kind, first.hidden_size, 1, first.bias, first.bidirectional, first.nonlinearity, width)
        got = (config.kind, config.hidden_size, config.num_layers, config.bias, config.bidirectional,
               config.nonlinearity, config.input_size)  # fmt: skip
        if got != due or layer.dtype != layers[0].dtype or config.projected:
            raise ValueError(f"layers[{k}] is {layer!r}, which cannot stand on {layers[0]!r} in one stack")
        parameters |= {name.replace("_l0", f"_l{k}"): value for name, value in layer.state_dict().items()}
    made = CLASSES[first.kind](
        first.input_size,
        first.hidden_size,
        num_layers=len(layers),
        bias=first.bias,
        batch_first=first.batch_first,
        bidirectional=first.bidirectional,
        dtype=layers[0].dtype,
        **({"nonlinearity": first.nonlinearity} if first.kind == "RNN" else {}),
    )
    made.load_state_dict(parameters)
    return made.train(layers[0].training)


@contextmanager
def _damage(title: str) -> Iterator[None]:
    """Whatever onnx raises for a model that is damaged, one ValueError."""
    try:
        yield
    except (scope.Refused, OSError):
        raise
    except Exception as error:
        raise ValueError(f"{title} cannot be read: {str(error) or type(error).__name__}") from error


def _layer(name: str, place: scope.Place) -> Layer:
    config, parameters = node.read(name, place)
    layer = CLASSES[config.kind](
        config.input_size,
        config.hidden_size,
        bias=config.bias,
        bidirectional=config.bidirectional,
        dtype=parameters["weight_ih_l0"].dtype,
        **({"nonlinearity": config.nonlinearity} if config.kind == "RNN" else {}),
    )
    layer.load_state_dict(parameters)
    layer.eval()
    return layer


def _loaded(model: Any, title: str) -> onnx.ModelProto:
    if isinstance(model, onnx.ModelProto):
        return model
    if not isinstance(model, str | os.PathLike | bytes):
        refuse_type("model", model, "path, bytes or onnx.ModelProto")
    with _damage(title):
        try:
            return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
        except DecodeError:
            what = "the bytes are" if isinstance(model, bytes) else f"{model} is"
            raise scope.Refused(f"{what} no ONNX model") from None
