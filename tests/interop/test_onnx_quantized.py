"""DynamicQuantizeLSTM nodes, as ONNX Runtime writes them, are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import fastlstm
from fastlstm.interop.onnx import from_onnx, to_onnx

quantization = pytest.importorskip("onnxruntime.quantization")


def written(layer: Any, folder: Path, **options: Any) -> onnx.ModelProto:
    before, after = folder / "before.onnx", folder / "after.onnx"
    onnx.save(to_onnx(layer), before)
    quantization.quantize_dynamic(before, after, **options)
    return onnx.load(after)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
def test_weights_are_the_integers_times_their_scales(tmp_path: Path, per_channel: bool, weights: str) -> None:
    layer = fastlstm.LSTM(5, 7, bidirectional=True, seed=0)
    kind = getattr(quantization.QuantType, weights)
    model = written(layer, tmp_path, per_channel=per_channel, weight_type=kind)
    assert [node.op_type for node in model.graph.node if "LSTM" in node.op_type] == ["DynamicQuantizeLSTM"]
    (found,) = from_onnx(model).values()
    for name, due in layer.state_dict().items():
        step = np.abs(due).max() / 63  # reduced ranges included
        np.testing.assert_allclose(getattr(found, name), due, atol=step if "weight" in name else 0)
    assert not np.array_equal(found.weight_ih_l0, layer.weight_ih_l0)
    x = np.random.default_rng(0).standard_normal((4, 2, 5)).astype(np.float32)
    np.testing.assert_allclose(fastlstm.quantize(found)(x)[0], layer(x)[0], atol=0.03)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = written(fastlstm.LSTM(5, 7, seed=0), tmp_path)
    scale = next(tensor for tensor in model.graph.initializer if "scale" in tensor.name)
    scale.CopyFrom(numpy_helper.from_array(np.ones(3, np.float32), scale.name))
    with pytest.raises(ValueError, match=r"DynamicQuantizeLSTM node .* has shape \(3,\), expected one number for each"):
        from_onnx(model)
