"""`fastlstm explain`: its claims are put to torch, and text that is not a layer is refused with the reason."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from fastlstm_lint.contract import Cell, Layer
from fastlstm_lint.explain import LayerSyntaxError, explain, parse, parse_input
from fastlstm_lint.explain.draw import places
from fastlstm_lint.explain.shape_text import read_shape
from fastlstm_lint.explain.told import EXAMPLE, shape_of
from fastlstm_lint.explain.topics import TOPICS
from fastlstm_lint.explain.words import width

from fastlstm.cli import main

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
        ("self.lstm = nn.LSTM(5, 6, batch_first=True).to(device)  # ours", Layer("LSTM", 5, 6, batch_first=True)),
        ("        self.rnn: nn.Module = torch.nn.GRU(input_size=5,\n            hidden_size=6),", Layer("GRU", 5, 6)),
        (">>> rnn = nn.LSTM(10, 20, 2)", Layer("LSTM", 10, 20, 2)),
        ("  (lstm): LSTM(5, 6, num_layers=2, batch_first=True)", Layer("LSTM", 5, 6, 2, batch_first=True)),
        ("nn.Sequential(nn.Linear(3, 5), nn.GRU(5, 6))", Layer("GRU", 5, 6)),
        ("How many parameters does nn.LSTM(5, 6, num_layers=(2)) have?", Layer("LSTM", 5, 6, 2)),
        ("nn.GRU(5, 6) 的参数有多少？", Layer("GRU", 5, 6)),
    ],
)
def test_constructor_calls_are_read(text: str, config: Layer | Cell) -> None:
    assert parse(text) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LSTM(5, 6", "not a constructor call"),
        ("Conv1d(5, 6)", "'Conv1d' is none of LSTM, GRU"),
        ("f()(5, 6)", "'?' is none of"),
        ("LSTM(5)", "LSTM needs hidden_size"),
        ("LSTM(n(), 6)", "input_size=n() is not a literal; put the number there"),
        ("LSTM(5, 6, batch_first=first)", "batch_first=first is not a literal; put True or False there"),
        ("LSTM(5, 6 / 2)", "hidden_size=6 / 2 is not a literal"),
        ("LSTM(" + "(" * 3000 + ")" * 3000 + ")", "not a constructor call"),
        ("LSTM(5, 6)" + " " * 20_000 + "# comment", "paste the call alone"),
        ("LSTM(5\0, 6)", "not a constructor call"),
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
    "text",
    ["3,4,5", "3x4x5", "(3, 4, 5)", "torch.Size([3, 4, 5])", "[3,4,5]", "3 4 5", "3×4×5", " 3, 4, 5, ", "3 X 4 X 5",
     "x.shape = (3, 4, 5)", "（3，4，5）".translate({0xFF08: "(", 0xFF09: ")"}), "output: torch.Size([3, 4, 5])"],
)  # fmt: skip
def test_a_shape_is_read_as_people_write_it(text: str) -> None:
    assert read_shape(text) == (3, 4, 5)
    code, shown = run("LSTM(5, 6)", "--input", text)
    assert code == 0
    assert "(3, 4, 5)  time, batch, feature" in shown
    code, shown = run(text)
    assert code == 0
    assert "T=3, B=4 by default; B=3, T=4 with batch_first=True" in shown


@pytest.mark.parametrize("text", ["", "x", "3.5x4", "a,5", "1" * 400, "(" * 10_000, "3x" * 50_000, "LSTM(5, 6)"])
def test_other_text_is_no_shape(text: str) -> None:
    assert read_shape(text) is None


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


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("h_n", "It has no time axis"),
        ("what is in h_n", "It has no time axis"),
        ("What is in h_n?", "It has no time axis"),
        ("hidden state", "It has no time axis"),
        ("output", "output is h of the top layer"),
        ("c_n", "Only an LSTM has one"),
        ("cell state", "Only an LSTM has one"),
        ("h_0", "Left out they are zeros"),
        ("c_0", "Left out they are zeros"),
        ("initial hidden state", "Left out they are zeros"),
        ("batch_first", "exchanges the first two axes"),
        ("which axis is the batch", "exchanges the first two axes"),
        ("seq_len", "exchanges the first two axes"),
        ("output[-1]", "output[:, -1]"),
        ("h_n.view(B, -1)", "samples mix"),
        ("last time step", "output[:, -1]"),
        ("packed", "leaves the padding out"),
        ("pack_padded_sequence", "leaves the padding out"),
        ("bidirectional", "forward, backward, forward, backward"),
        ("hidden_size", "all steps share one set of weights"),
        ("input_size", "neither the length of the sequence"),
        ("num_layers", "each takes the output of the one below"),
        ("proj_size", "c keeps H"),
        ("dropout", "with one layer it does nothing at all"),
        ("weight_ih_l0", "LSTM i f g o"),
        ("LSTMCell", "h, h'"),
        ("nn.LSTM", "input_size, hidden_size"),
        ("LSTM 5 6 2", "648"),
        ("h_n 是什么", "它没有时间轴"),
        ("隐藏状态的形状", "它没有时间轴"),
        ("细胞状态", "只有 LSTM 有"),
        ("怎么取最后一个时间步", "output[:, -1]"),
        ("批大小在哪个维度", "只对调输入和输出的前两个轴"),
        ("双向 LSTM 的输出", "正向在前"),
        ("批量大小是第几维", "只对调输入和输出的前两个轴"),
        ("隐状态", "它没有时间轴"),
        ("记忆元", "只有 LSTM 有"),
        ("嵌入维度", "既不是序列长度"),
        ("What's the difference between output and h_n in a PyTorch LSTM?", "output is h of the top layer"),
        ("batch_first=True but the hidden state is not batch first, why?", "exchanges the first two axes"),
        ("How do I get the last hidden state of an LSTM?", "h_n[-1]"),
        ("Should I use output[:, -1] or h_n[-1]?", "with batch_first=True it is the last sample"),
        ("How many parameters does nn.LSTM(5, 6, num_layers=2) have?", "648 parameters"),
        ("LSTM 的 output 和 h_n 有什么区别？", "output 里看不到它"),
        ("batch_first 对 h_0 有影响吗？", "批从不在第 0 轴"),
        ("hidden_size 和时间步数有关系吗？", "所有时间步共用一组权重"),
        ("怎么计算 LSTM 的参数个数？", "G*(H*I + H*H + 2*H)"),
        ("c_n 有什么用？", "lstm(next_x, (h_n, c_n))"),
        ("h_n.view(batch_size, -1) 对吗？", "样本会混在一起"),
        ("变长序列怎么打包", "只保留填充批里真实的时间步"),
    ],
)
def test_what_learners_ask_by_name(question: str, said: str) -> None:
    code, text = run(question)
    assert code == 0, text
    assert said in " ".join(text.split()) or said in text.replace("\n", "")


def test_quotes_are_not_needed() -> None:
    assert run("what", "is", "in", "h_n") == run("what is in h_n")


def test_two_values_of_one_question_are_both_told() -> None:
    code, text = run("difference between output and h_n")
    assert code == 0
    assert "output is h of the top layer" in text
    assert "h_n is h after the last step" in text


@pytest.mark.parametrize(
    ("question", "near"),
    [
        ("ouput", "output"),
        ("batchfirts", "batch_first"),
        ("LTSM", "LSTM"),
        ("state-batch-frist", "state-batch-first"),
        ("FL999", "FL"),
    ],
)
def test_an_unknown_question_gets_what_comes_near_and_what_can_be_asked(question: str, near: str) -> None:
    code, text = run(question)
    assert code == 2
    assert "Did you mean" in text
    assert near in text.partition("Did you mean")[2]
    assert "paste an error message of torch" in text


@pytest.mark.parametrize("question", ["", "   ", "xyzzy", "\0", "🎉" * 100_000, "天气怎么样"])
def test_an_unknown_question_is_misuse_and_no_failure(question: str) -> None:
    code, text = run(question)
    assert code == 2
    assert "Error:" in text


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_told_in_both_languages_and_fits_a_terminal(topic: Any, lang: Any) -> None:
    code, text = run(topic.name, "--lang", lang)
    assert code == 0
    assert all(width(line) <= 112 for line in text.splitlines())
    assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (lang == "zh")


@pytest.mark.parametrize("value", ["input", "output", "h_n", "c_n", "h_0", "c_0"])
def test_the_shapes_beside_a_topic_are_torchs(value: str) -> None:
    module = torch.nn.LSTM(5, 6, 2, batch_first=True, bidirectional=True)
    x = torch.zeros(3, 7, 5)
    output, (h_n, c_n) = module(x)
    found = {"input": x, "output": output, "h_n": h_n, "c_n": c_n, "h_0": h_n, "c_0": c_n}[value]
    assert tuple(axis.size for axis in shape_of(value, EXAMPLE, 7, 3)) == tuple(found.shape)
    code, text = run(value)
    assert code == 0
    assert re.search(rf"^  {value} +{re.escape(str(tuple(found.shape)))}$", text, re.MULTILINE)


def test_a_layer_in_chinese() -> None:
    code, text = run("LSTM(5, 6, 2, bidirectional=True)", "--input", "1,3,5", "--lang", "zh")
    assert code == 0
    assert "h_n     (L*D, B, H)  (4, 3, 6)   层×方向，批，特征" in text
    assert "第 1 层 反向  h_n[3] <-- ... <-- 步 T-1  output[0, :, 6:]" in text


def test_where_numbers_are_needed_a_name_is_refused() -> None:
    for text, name in (("LSTM(n, 6)", "'n'"), ("LSTM(5, 6, layers)", "'layers'"), ("GRUCell(5, 2 * h)", "'2*h'")):
        with pytest.raises(LayerSyntaxError, match=re.escape(f"{name} is not a literal; put the number there")):
            parse(text)


def test_sizes_by_name_are_shown_by_name() -> None:
    code, text = run("self.rnn = nn.GRU(n_in, 2*hidden, layers, bidirectional=True)")
    assert code == 0
    assert "output  (T, B, D*H)  (T, B, 4*hidden)" in text
    assert "weight_ih_l1          (G*H, D*H)  (6*hidden, 4*hidden)" in text
    assert "layers is not a number here: shown with 2 layers." in text
    code, text = run("nn.GRU(n_in, 6)", "--input", "7,3,5")
    assert "GRU(5, 6): 234 parameters" in text


def test_nothing_that_is_pasted_is_executed(tmp_path: Any) -> None:
    trap = tmp_path / "trap"
    for text in (f"nn.LSTM(open({str(trap)!r}, 'w'), 6)", f"[open({str(trap)!r}, 'w')]; LSTM(5, 6)",
                 f"LSTM(5, 6, dropout=open({str(trap)!r}, 'w'))", f"open({str(trap)!r}, 'w')"):  # fmt: skip
        run(text)
        run("LSTM(5, 6)", "--input", text)
    assert not trap.exists()
