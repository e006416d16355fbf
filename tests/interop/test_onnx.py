"""Layers as ONNX models and back: onnxruntime gives the layer's numbers, and reading what was written the layer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import fastlstm
from fastlstm.interop.onnx import from_onnx, stack, to_onnx

KINDS = ["LSTM", "GRU", "RNN"]
CONFIGS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"num_layers": 3},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
]
CASES = [(kind, config) for kind in KINDS for config in CONFIGS] + [("RNN", {"nonlinearity": "relu", "num_layers": 2})]
T, B, I, H = 5, 2, 3, 4


def identity(case: Any) -> str:
    return case if isinstance(case, str) else " ".join(f"{name}={value}" for name, value in case.items()) or "plain"


def made(kind: str, **config: Any) -> Any:
    return getattr(fastlstm, kind)(I, H, **config, seed=0).eval()


def feeds(layer: Any) -> dict[str, np.ndarray]:
    """x and initial states by the model's names."""
    rng, config = np.random.default_rng(1), layer.config
    shape = (B, T, I) if config.batch_first else (T, B, I)
    rows = config.num_layers * config.directions
    arrays = {"x": rng.normal(size=shape)}
    arrays |= {f"{state}_0": rng.normal(size=(rows, B, H)) for state in config.state_names}
    return {name: value.astype(layer.dtype) for name, value in arrays.items()}


def called(layer: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Output, h_n and c_n of the layer."""
    x, *states = given.values()
    output, final = layer(x, tuple(states) if len(states) == 2 else states[0])
    return [output, *(final if isinstance(final, tuple) else [final])]


def run(model: onnx.ModelProto, given: dict[str, np.ndarray]) -> list[Any]:
    """The model's outputs in ONNX Runtime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)


@pytest.mark.parametrize(("kind", "config"), CASES, ids=identity)
def test_onnxruntime_gives_the_layer_s_numbers(kind: str, config: dict[str, Any]) -> None:
    layer = made(kind, **config)
    given = feeds(layer)
    for found, expected in zip(run(to_onnx(layer), given), called(layer, given), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "config"), CASES, ids=identity)
def test_what_was_written_is_read_back(kind: str, config: dict[str, Any]) -> None:
    layer = made(kind, **config)
    found = from_onnx(to_onnx(layer))
    assert list(found) == [f"layer_{k}" for k in range(layer.config.num_layers)]
    again = stack(list(found.values()))
    assert not again.training
    assert type(again) is type(layer)
    assert {**vars_of(again), "batch_first": None} == {**vars_of(layer), "batch_first": None}
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], value)


def vars_of(layer: Any) -> dict[str, Any]:
    return {name: getattr(layer.config, name) for name in layer.config.__slots__}


@pytest.mark.parametrize("kind", KINDS)
def test_float64_stays(kind: str) -> None:
    """ONNX Runtime has no float64 here; onnx's own evaluator has, for one direction."""
    layer = made(kind, num_layers=2, dtype=np.float64)
    given, model = feeds(layer), to_onnx(layer)
    for found, expected in zip(ReferenceEvaluator(model).run(None, given), called(layer, given), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert all(part.dtype == np.float64 for part in from_onnx(model).values())


def test_sizes_are_free_or_fixed() -> None:
    def shapes(model: onnx.ModelProto) -> dict[str, list[Any]]:
        values = [*model.graph.input, *model.graph.output]
        return {v.name: [axis.dim_param or axis.dim_value for axis in v.type.tensor_type.shape.dim] for v in values}

    layer = made("LSTM", batch_first=True, bidirectional=True)
    state = [2, "B", H]
    assert shapes(to_onnx(layer)) == {
        "x": ["B", "T", I],
        "h_0": state,
        "c_0": state,
        "output": ["B", "T", 2 * H],
        "h_n": state,
        "c_n": state,
    }
    assert shapes(to_onnx(layer, T=7, B=1))["x"] == [1, 7, I]
    assert shapes(to_onnx(layer, T=7))["output"] == ["B", 7, 2 * H]


def test_a_path_bytes_and_a_model(tmp_path: Path) -> None:
    layer = made("GRU")
    model, path = to_onnx(layer), tmp_path / "gru.onnx"
    onnx.save(model, path)
    outside = tmp_path / "outside.onnx"
    onnx.save(onnx.load(path), outside, save_as_external_data=True, size_threshold=0)
    for given in (model, path, str(path), path.read_bytes(), outside):
        [found] = from_onnx(given).values()
        np.testing.assert_array_equal(found.weight_hh_l0, layer.weight_hh_l0)
    with pytest.raises(ValueError, match="are in another file: give the model by its path"):
        from_onnx(outside.read_bytes())


# Models as others write them


def node(kind: str = "LSTM", given: tuple[str, ...] = ("x", "W", "R", "B"), name: str = "cell", **options: Any) -> Any:
    defaults: dict[str, Any] = {"hidden_size": H} | ({"linear_before_reset": 1} if kind == "GRU" else {})
    return helper.make_node(kind, given, [f"{name or 'nameless'}_y"], name, **defaults | options)


def weights(kind: str = "LSTM", directions: int = 1, dtype: Any = np.float32) -> dict[str, np.ndarray]:
    G, rng = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], np.random.default_rng(2)
    shapes = {"W": (directions, G * H, I), "R": (directions, G * H, H), "B": (directions, 2 * G * H)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def model(*nodes: Any, functions: Any = (), **constants: np.ndarray) -> onnx.ModelProto:
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["T", "B", I])
    y = helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, None)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(
        helper.make_graph(nodes, "graph", [x], [y], stored), opset_imports=opsets, ir_version=8, functions=functions
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("directions", [1, 2])
def test_another_s_model_gives_the_same_numbers(kind: str, directions: int) -> None:
    given = model(
        node(kind, direction=("forward", "bidirectional")[directions - 1]),
        helper.make_node("Transpose", ["cell_y"], ["t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["t", "merged"], ["output"]),
        merged=np.array([0, 0, -1]),
        **weights(kind, directions),
    )
    x = np.random.default_rng(3).normal(size=(T, B, I)).astype(np.float32)
    layer = from_onnx(given)["cell"]
    np.testing.assert_allclose(run(given, {"x": x})[0], layer(x)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_torch_exported(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(I, H, num_layers=2, bidirectional=True).eval()
    x, path = torch.randn(T, B, I), tmp_path / "exported.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter without onnxscript is called legacy
        torch.onnx.export(module, (x,), path, dynamo=False)
    layer = stack(list(from_onnx(path).values()))
    np.testing.assert_allclose(layer(x.numpy())[0], module(x)[0].detach(), rtol=1e-4, atol=1e-6)


def test_weights_that_exporters_leave_unfolded() -> None:
    """Gate by gate in a Concat, behind Identity, and as Constant nodes."""
    found = weights()
    parts = {f"part_{k}": part for k, part in enumerate(np.split(found["W"], 4, axis=1))}
    given = model(
        helper.make_node("Concat", list(parts), ["all"], axis=1),
        helper.make_node("Identity", ["all"], ["W"]),
        helper.make_node("Constant", [], ["R"], value=numpy_helper.from_array(found["R"], "r")),
        helper.make_node("Split", ["both"], ["rest", "B"], axis=0, num_outputs=2),
        node(),
        **parts,
        both=np.concatenate([found["B"] + 1, found["B"]]),
    )
    plain = from_onnx(model(node(), **found))["cell"].state_dict()
    for name, value in from_onnx(given)["cell"].state_dict().items():
        np.testing.assert_array_equal(value, plain[name])


def test_nodes_inside_branches_and_functions_and_without_names() -> None:
    """Weights of the graph around a branch are seen in it."""
    found = weights()
    branches = {
        f"{name}_branch": helper.make_graph(
            [node(name="inner")], name, [], [helper.make_tensor_value_info("inner_y", 1, None)]
        )
        for name in ("then", "else")
    }
    function = helper.make_function(
        "own", "Wrapped", ["x", "W", "R"], ["z"], [helper.make_node("LSTM", ["x", "W", "R"], ["z"], hidden_size=H)],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    given = model(
        helper.make_node("Wrapped", ["x", "W", "R"], ["w"], domain="own"),
        node(name=""),
        node(name="twice"),
        helper.make_node("LSTM", ["x", "W", "R", "B"], ["other"], "twice", hidden_size=H),
        helper.make_node("If", ["flag"], ["y"], "choice", **branches),
        functions=[function],
        flag=np.array(True),
        **found,
    )
    layers = from_onnx(given)
    first, *named = layers
    assert named == ["nameless_y", "twice", "twice:other", "choice/else_branch/inner", "choice/then_branch/inner"]
    assert [layers[first].config.bias, layers["twice"].config.bias] == [False, True]
    for layer in layers.values():
        np.testing.assert_array_equal(layer.weight_ih_l0[:H], found["W"][0, :H])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_becomes_float32(dtype: str) -> None:
    import ml_dtypes

    found = weights(dtype=getattr(ml_dtypes, dtype, None) or dtype)
    layer = from_onnx(model(node(), **found))["cell"]
    assert layer.dtype == np.float32
    np.testing.assert_array_equal(layer.weight_hh_l0[:H], found["R"][0, :H].astype(np.float32))


P = {"P": np.zeros((1, 3 * H), np.float32)}
PEEPHOLES = ("x", "W", "R", "B", "", "", "", "P")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (model(node(given=PEEPHOLES), **weights(), **P), "LSTM node 'cell' cannot be served: it has peepholes (P)"),
        (model(node(clip=1.5), **weights()), "clip is 1.5"),
        (model(node(input_forget=1), **weights()), "input_forget is 1"),
        (model(node(layout=1), **weights()), "layout is 1"),
        (model(node(direction="reverse"), **weights()), "direction is 'reverse'"),
        (
            model(node(activations=["HardSigmoid", "Tanh", "Tanh"]), **weights()),
            "activations are HardSigmoid, Tanh, Tanh, expected sigmoid, tanh, tanh",
        ),
        (
            model(node("GRU", linear_before_reset=0), **weights("GRU")),
            "GRU node 'cell' cannot be served: linear",
        ),
        (
            model(node("RNN", direction="bidirectional", activations=["Relu", "Tanh"]), **weights("RNN", 2)),
            "activations are Relu, Tanh",
        ),
        (model(node(given=("x", "x", "R")), **weights()), "its W is not constant"),
        (model(node(given=("x", "W")), **weights()), "its R is not constant"),
        (model(node(hidden_size=5), **weights()), "W has shape (1, 16, 3), expected (1, 20, 3)"),
        (model(node(direction="bidirectional"), **weights()), "W has shape (1, 16, 3), expected (2, 16, 3)"),
        (model(node(), **weights() | {"B": np.zeros(32, np.float32)}), "B has shape (32,), expected 2 axes"),
        (model(helper.make_node("Identity", ["x"], ["y"])), "the model has no LSTM, GRU, RNN node"),
        (b"no model", "the bytes are no ONNX model"),
    ],
)
def test_what_a_layer_does_not_compute_is_refused_by_name(given: Any, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared whole below
        from_onnx(given)
    assert message in str(raised.value)


def test_wanted_nodes_alone() -> None:
    given = model(node(clip=1.5), node(name="good"), **weights())
    assert list(from_onnx(given, ["good"])) == ["good"]
    with pytest.raises(KeyError, match="'bad' is no recurrent node of the model; there are cell, good"):
        from_onnx(given, ["bad"])


def test_other_activations_spelt_out_are_the_usual_ones() -> None:
    """Names of activations do not depend on case; the default may be written out."""
    relu = from_onnx(model(node("RNN", activations=["RELU"]), **weights("RNN")))["cell"]
    assert relu.config.nonlinearity == "relu"
    assert from_onnx(model(node(activations=["sigmoid", "TANH", "Tanh"]), **weights()))


def test_what_onnx_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="proj_size is 2: an LSTM node of ONNX has no projection"):
        to_onnx(made("LSTM", proj_size=2))
    with pytest.raises(TypeError, match=r"LSTMCell, expected fastlstm\.LSTM, GRU or RNN"):
        to_onnx(fastlstm.LSTMCell(I, H))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="model is a int, expected path, bytes or"):
        from_onnx(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "second",
    [
        made("GRU"),
        fastlstm.LSTM(H, H + 1),
        fastlstm.LSTM(H, H, bias=False),
        fastlstm.LSTM(H, H, bidirectional=True),
        fastlstm.LSTM(H + 1, H),
        fastlstm.LSTM(H, H, num_layers=2),
        fastlstm.LSTM(H, H, dtype=np.float64),
    ],
    ids=repr,
)
def test_layers_that_do_not_fit_are_not_stacked(second: Any) -> None:
    first = made("LSTM")
    assert stack([first, fastlstm.LSTM(H, H)]).config.num_layers == 2
    with pytest.raises(ValueError, match=r"layers\[1\] is .*, which cannot stand on LSTM"):
        stack([first, second])
    with pytest.raises(ValueError, match="layers are empty"):
        stack([])


def recurrent(weights: str, nodes: list[onnx.NodeProto], stored: list[onnx.TensorProto]) -> onnx.ModelProto:
    """A model whose RNN node takes W from the constant `weights`."""
    R = numpy_helper.from_array(np.zeros((1, 4, 4), np.float32), "R")
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [5, 2, 3])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = helper.make_node("RNN", ["x", weights, "R"], ["y"], name="rnn", hidden_size=4)
    return helper.make_model(helper.make_graph([*nodes, node], "g", [x], [y], [R, *stored]))


def bombs() -> dict[str, onnx.ModelProto]:
    """Constants that would never end, or would take a thousand GB."""
    shape = numpy_helper.from_array(np.array([1, 1 << 20, 1 << 20]), "shape")
    one = numpy_helper.from_array(np.zeros((1, 4, 3), np.float32), "c0")
    doubled = [helper.make_node("Concat", [f"c{n}"] * 8, [f"c{n + 1}"], axis=1) for n in range(40)]
    few = numpy_helper.from_array(np.zeros((1, 1, 1), np.float32), "few")
    many = numpy_helper.from_array(np.zeros(1 << 14, np.int64), "many")
    row = numpy_helper.from_array(np.zeros((1, 1 << 16), np.float32), "row")
    return {
        "a circle": recurrent("a", [helper.make_node("Identity", [b], [a]) for a, b in ("ab", "ba")], []),
        "a shape": recurrent("W", [helper.make_node("ConstantOfShape", ["shape"], ["W"])], [shape]),
        "an expansion": recurrent("W", [helper.make_node("Expand", ["few", "shape"], ["W"])], [shape, few]),
        "doubling": recurrent("c40", doubled, [one]),
        "rows again and again": recurrent("W", [helper.make_node("Gather", ["row", "many"], ["W"])], [many, row]),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_model_that_would_never_end_or_fit_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"'rnn' cannot be (read: the constant '\w+' would|served: its W is not const)"
    ):
        from_onnx(bombs()[name])


def test_a_damaged_model_is_one_kind_of_error(tmp_path: Path) -> None:
    """Cut, or one byte changed: layers, or a ValueError that names file or node, or the missing file of weights."""
    data = to_onnx(made("LSTM", num_layers=2)).SerializeToString()
    rng, refused, path = np.random.default_rng(0), 0, tmp_path / "damaged.onnx"
    for n in range(400):
        broken = bytearray(data)
        at = int(rng.integers(len(data) if n % 2 else 600))
        if n % 4 == 0:
            del broken[at:]
        else:
            broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        said = ""
        try:
            from_onnx(path)
        except ValueError as error:
            said = str(error)
            refused += 1
        assert not said or "damaged" in said or "node" in said or "weight" in said, said
    assert refused > 50
