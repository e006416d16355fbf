"""What the commands tell about quantized layers is what these are."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from fastlstm_lint import explain

import fastlstm
from fastlstm.cli import main
from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import LAYER_BYTES, SMALL_STEP, Sizes, choose, flops
from fastlstm.engine.weights import Weights
from fastlstm.quantized.weights import Panels


def said(*arguments: str) -> str:
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("weights", ["int8", "float16"])
@pytest.mark.parametrize("call", ["LSTM(5, 6, 2, bidirectional=True, proj_size=2)", "GRU(5, 6, bias=False)"])
def test_explain_names_every_parameter_with_its_dtype(call: str, weights: str) -> None:
    layer = eval(f"fastlstm.quantize(fastlstm.{call}, weights={weights!r})")
    shown = said("explain", f"small = fastlstm.quantize(nn.{call}, weights={weights!r})")
    listed = [line for line in shown.splitlines() if line.startswith(("  weight", "  bias"))]
    state = layer.state_dict()
    assert len(listed) == len(state)
    for line in listed:
        value = state[line.split()[0]]
        assert f" {value.dtype} " in f"{line} "
        assert f" {explain.draw.bare(value.shape)} " in line
    assert f"weights='{weights}')" in shown.splitlines()[0]


def test_explain_says_what_is_wrong() -> None:
    for text, told in {
        "quantize(LSTM(5, 6), weights='int4')": "weights is 'int4', expected 'int8' or 'float16'",
        "quantize(LSTM(5, 6), weights=w)": "weights=w is not a literal; put 'int8' there",
        "quantize(LSTMCell(5, 6))": "quantize takes a layer",
    }.items():
        done = CliRunner().invoke(main, ["explain", text])
        assert done.exit_code == 2
        assert told in done.output


def test_the_plan_of_a_quantized_layer() -> None:
    call = ["info", "--plan", "quantize(LSTM(64, 256))", "--input", "100,1,64"]
    shown = said(*call)
    small = fastlstm.quantize(fastlstm.LSTM(64, 256)).state_dict()
    assert f"weights   {sum(value.nbytes for value in small.values()) / 1024:.3g} KB, packed once" in shown
    assert "256 KB recurrent" in shown
    assert "1 MB recurrent" in said("info", "--plan", "LSTM(64, 256)", *call[3:])
    assert "not quantized: its recurrent product is 'diagonal'" in said(
        "info", "--plan", "quantize(Recurrent(IndRNN, 5, 6))", "--input", "100,1,5"
    )
    done = CliRunner().invoke(main, [*call, "--train"])
    assert done.exit_code == 2
    assert "a quantized layer is for inference" in done.output


def test_the_planner_counts_the_bytes_that_there_are() -> None:
    """Layers follow each other where a core's cache holds the recurrent weights: in fewer bits, larger ones."""
    layout = Layout(fastlstm.LSTM(8, 256, 2).config, np.dtype(np.float32))
    plain, small = Weights(layout), Panels(layout, "int8")
    assert small.recurrent_bytes * 4 == plain.recurrent_bytes > LAYER_BYTES
    assert choose(layout, Sizes(2000, 1, False, 2), plain)[0] == "units"
    assert choose(layout, Sizes(2000, 1, False, 2), small)[0] == "layers"


def test_a_second_thread_is_worth_less_where_products_take_less_time() -> None:
    layout = Layout(fastlstm.LSTM(8, 112).config, np.dtype(np.float32))
    plain, small = Weights(layout), Panels(layout, "int8")
    assert SMALL_STEP < flops(layout, Sizes(1, 1, False, 1)) < SMALL_STEP * small.pace
    assert choose(layout, Sizes(100, 1, False, 2), plain)[1] == 2
    assert choose(layout, Sizes(100, 1, False, 2), small)[1] == 1
