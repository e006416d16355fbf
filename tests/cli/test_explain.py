"""`fastlstm explain`: its claims are put to torch, and text that is not a layer is refused with the reason."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from fastlstm.cli import main
from fastlstm.contract import Cell, Layer
from fastlstm.explain import LayerSyntaxError, explain, parse, parse_input
from fastlstm.explain.draw import places

T, B, I, H = 4, 3, 5, 6


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["explain", *arguments])
    return result.exit_code, result.output


def test_the_whole_text_of_the_first_tutorial() -> None:
    """P1: two layers, one time step, a batch of three."""
    code, text = run("LSTM(5, 6, 2)", "--input", "1,3,5")
    assert code == 0
    assert (
        text
        == """\
LSTM(5, 6, num_layers=2): 648 parameters

  input   (T, B, I)  (1, 3, 5)  time, batch, feature
  h_0     (L, B, H)  (2, 3, 6)  layer, batch, feature
  c_0     (L, B, H)  (2, 3, 6)  layer, batch, feature
  output  (T, B, H)  (1, 3, 6)  time, batch, feature
  h_n     (L, B, H)  (2, 3, 6)  layer, batch, feature
  c_n     (L, B, H)  (2, 3, 6)  layer, batch, feature

  weight_ih_l0  (G*H, I)  (24, 5)  120  rows: i f g o, 6 each
  weight_hh_l0  (G*H, H)  (24, 6)  144  rows: i f g o, 6 each
  bias_ih_l0    (G*H,)    (24,)    24   rows: i f g o, 6 each
  bias_hh_l0    (G*H,)    (24,)    24   rows: i f g o, 6 each
  weight_ih_l1  (G*H, H)  (24, 6)  144  rows: i f g o, 6 each
  weight_hh_l1  (G*H, H)  (24, 6)  144  rows: i f g o, 6 each
  bias_ih_l1    (G*H,)    (24,)    24   rows: i f g o, 6 each
  bias_hh_l1    (G*H,)    (24,)    24   rows: i f g o, 6 each

Where h_n sits in output:

  layer 1  step 0 --> ... --> h_n[1]  output[-1]
  layer 0  step 0 --> ... --> h_n[0]  in no slice of output

Axis 0 of the input is time, axis 1 the batch; batch_first=True exchanges them.
"""
    )


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "unbatched"])
@pytest.mark.parametrize(
    ("kind", "num_layers", "batch_first", "bidirectional"),
    list(itertools.product(["LSTM", "GRU"], [1, 2], [False, True], [False, True])),
)
def test_h_n_sits_where_it_says(
    kind: str, num_layers: int, batch_first: bool, bidirectional: bool, batched: bool
) -> None:
    layer = Layer(kind, I, H, num_layers, batch_first=batch_first, bidirectional=bidirectional)
    module = getattr(torch.nn, kind)(I, H, num_layers, batch_first=batch_first, bidirectional=bidirectional)
    shape = [axis.size for axis in layer.input(T, B if batched else None)]
    with torch.no_grad():
        output, state = module(torch.randn(shape))
    h_n = state[0] if kind == "LSTM" else state
    told = places(layer, batched)
    assert len(told) == len(h_n)
    for k, place in enumerate(told):
        if place is not None:
            torch.testing.assert_close(eval(place, {"output": output}), h_n[k])
        else:
            steps = output.reshape(-1, output.shape[-1])
            rows = h_n[k].reshape(-1, H)
            halves = torch.cat([steps[:, at : at + H] for at in range(0, steps.shape[-1], H)])
            assert not any(torch.allclose(row, half) for row in rows for half in halves)
    assert sum(place is not None for place in told) == layer.directions


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("LSTM(5, 6)", Layer("LSTM", 5, 6)),
        ("nn.LSTM(5, 6, 2, False, True, 0.5, True, 3)", Layer("LSTM", 5, 6, 2, False, True, True, 3)),
        ("torch.nn.GRU(input_size=5, hidden_size=6, bidirectional=True)", Layer("GRU", 5, 6, bidirectional=True)),
        ("fastlstm.LSTM(5, 6, seed=0, dtype=np.float64)", Layer("LSTM", 5, 6)),
        ("RNN(5, 6, 2, 'relu', False)", Layer("RNN", 5, 6, 2, False, nonlinearity="relu")),
        ("GRUCell(5, 6, False)", Cell("GRU", 5, 6, False)),
        ("RNNCell(5, 6, True, 'relu')", Cell("RNN", 5, 6, nonlinearity="relu")),
        ("  LSTM(5,\n 6)  ", Layer("LSTM", 5, 6)),
    ],
)
def test_constructor_calls_are_read(text: str, config: Layer | Cell) -> None:
    assert parse(text) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LSTM", "not a constructor call"),
        ("LSTM(5, 6", "not a constructor call"),
        ("", "not a constructor call"),
        ("Conv1d(5, 6)", "'Conv1d' is none of LSTM, GRU"),
        ("f()(5, 6)", "'?' is none of"),
        ("LSTM(5)", "LSTM needs hidden_size"),
        ("LSTM(n, 6)", "'n' is not a literal"),
        ("LSTM(__import__('os').getpid(), 6)", "is not a literal"),
        ("LSTM(5, 6, 2, 0.5)", "bias must be True or False, got 0.5; position 4 of LSTM is bias"),
        ("LSTM(5, 6, layers=2)", "LSTM has no option 'layers'"),
        ("GRU(5, 6, proj_size=2)", "GRU has no option 'proj_size'"),
        ("LSTMCell(5, 6, batch_first=True)", "LSTMCell has no option 'batch_first'"),
        ("LSTM(5, 6, nonlinearity='relu')", "LSTM has no option 'nonlinearity'"),
        ("LSTMCell(5, 6, dropout=0.5)", "LSTMCell has no option 'dropout'"),
        ("RNN(5, 6, nonlinearity='gelu')", "nonlinearity must be 'tanh' or 'relu', got 'gelu'"),
        ("LSTM(5, 6, hidden_size=6)", "hidden_size is given twice"),
        ("LSTM(5, 6, **options)", "** cannot be read"),
        ("LSTM(5, 6.0)", "hidden_size must be a positive whole number, got 6.0"),
        ("LSTM(0, 6)", "input_size must be a positive whole number"),
        ("LSTM(5, 6, True)", "num_layers must be a positive whole number"),
        ("LSTM(5, 6, proj_size=6)", "proj_size must be smaller than hidden_size"),
        ("LSTM(5, 6, 1000000000)", "at most 1000 here"),
        ("LSTM(1, 2, 3, True, True, 0.0, True, 1, 5)", "takes 8 positional arguments, got 9"),
    ],
)
def test_other_text_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(LayerSyntaxError) as caught:
        parse(text)
    assert message in str(caught.value)
    code, output = run(text)
    assert code == 2
    assert message in output


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Layer("LSTM", 5, 6), "1,3,5", (1, 3)),
        (Layer("LSTM", 5, 6, batch_first=True), "(3, 1, 5)", (1, 3)),
        (Layer("LSTM", 5, 6, batch_first=True), "7,5", (7, None)),
        (Cell("LSTM", 5, 6), "3,5", (None, 3)),
        (Cell("LSTM", 5, 6), "(5,)", (None, None)),
    ],
)
def test_input_shapes_are_read(layer: Layer | Cell, shape: str, expected: tuple[int | None, int | None]) -> None:
    assert parse_input(shape, layer) == expected


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("1,3", "must be input_size=5, got 3"),
        ("1,3,4", "must be input_size=5, got 4"),
        ("5", "takes 3 axes, or 2 without a batch; got 1"),
        ("1,2,3,5", "got 4"),
        ("a,5", "whole numbers with commas"),
        ("1,-3,5", "negative"),
    ],
)
def test_wrong_input_shapes_are_refused(shape: str, message: str) -> None:
    code, output = run("LSTM(5, 6)", f"--input={shape}")
    assert code == 2
    assert message in " ".join(output.split())


@pytest.mark.parametrize(
    ("config", "options", "lines"),
    [
        (Layer("LSTM", 5, 6), {}, ["input   (T, B, I)  (T, B, 5)  time, batch, feature"]),
        (Layer("LSTM", 5, 6), {"T": 7, "batched": False}, ["input   (T, I)  (7, 5)  time, feature"]),
        (Layer("LSTM", 5, 6, proj_size=2), {}, ["weight_hr_l0  (P, H)    (2, 6)   12   projects h"]),
        (Layer("LSTM", 5, 6, batch_first=True), {}, ["output[-1] is the last sample,", "h_n[0]  output[:, -1]"]),
        (Layer("GRU", 5, 6, bidirectional=True), {}, ["for a summary of the sequence take h_n,"]),
        (
            Cell("GRU", 5, 6, bias=False),
            {"B": 3},
            ["GRUCell(5, 6, bias=False): 198 parameters", "h, h'  (B, H)  (3, 6)"],
        ),
    ],
)
def test_what_is_shown(config: Layer | Cell, options: dict[str, Any], lines: list[str]) -> None:
    text = explain(config, **options)
    for line in lines:
        assert line in text


def test_layers_of_a_cell_of_the_shelf() -> None:
    code, text = run("fastlstm.Recurrent(fastlstm.cells.EALSTM, 5, 6, num_layers=2, unit=None)")
    assert code == 0
    assert text.startswith("Recurrent(EALSTM, 5, 6, num_layers=2): 486 parameters\n")
    assert "  step i  (T, B, H)  (T, B, 6)  time, batch, feature\n" in text
    assert "  weight_ih_l1  (G*H, H)  (18, 6)  108  rows: f g o, 6 each\n" in text
    code, text = run("Recurrent(sLSTM, 5, 8, num_heads=4)", "--input", "7,3,5")
    assert "  weight_hh_l0  (N, G*H/N, H/N)  (4, 8, 2)  64   rows: i f z o, 8 each\n" in text
    assert "  m_n     (L, B, H)  (1, 3, 8)  layer, batch, feature\n" in text
    code, text = run("Recurrent(LIF, 5, 6, bidirectional=True)")
    assert "step 0 --> ... --> s_n[0]" in text
    assert "for a summary of the sequence take s_n" in text
    code, text = run("Recurrent(PeepholeLSTM, 5, 6)")
    assert "  p_i_l0        (H,)      (6,)     6    one for each unit\n" in text


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("Recurrent(mine, 5, 6)", "'mine' is no cell of fastlstm.cells, which has CoupledLSTM, EALSTM"),
        ("Recurrent(sLSTM, 5, 6, num_heads=4)", "num_heads is 4, expected a divisor of hidden_size = 6"),
        (
            "Recurrent(PeepholeLSTM, 5, 6, proj_size=3)",
            "Recurrent has no option 'proj_size'; it takes cell, input_size",
        ),
        ("Recurrent(PeepholeLSTM, 5, 6, 1, 0.5)", "bias is a float, expected bool"),
        ("Recurrent(PeepholeLSTM, 5)", "Recurrent needs hidden_size"),
        ("Recurrent(input_size=5, hidden_size=6)", "Recurrent needs a cell"),
    ],
)
def test_a_wrong_call_of_recurrent_is_told(call: str, told: str) -> None:
    code, text = run(call)
    assert code == 2
    assert told in text
