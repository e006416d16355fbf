"""Pictures of a call: what is drawn as picked is what torch picks, and the pages' pictures are the command's."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from fastlstm_lint.contract import Layer
from fastlstm_lint.explain.drawing import draw, gallery
from fastlstm_lint.explain.memory import Entry, array_of, picks, verdict
from fastlstm_lint.explain.picture import WORDS, picture
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fastlstm.cli import main

T, B, H = 4, 3, 2
DOCS = Path(__file__).parents[2] / "docs"
FORMS = list(itertools.product(["LSTM", "GRU", "RNN"], [1, 2], [False, True], [False, True], [B, None]))


@pytest.mark.parametrize(("kind", "layers", "batch_first", "both", "batch"), FORMS)
def test_what_is_drawn_as_picked_is_what_torch_picks(
    kind: str, layers: int, batch_first: bool, both: bool, batch: int | None
) -> None:
    """Every number of output and h_n is its own place in memory: what an expression gives says where it took it."""
    layer = Layer(kind, 5, H, layers, batch_first=batch_first, bidirectional=both)
    shapes = {"output": layer.output(T, batch), "h_n": layer.state("h", batch)}
    values = {}
    for name, shape in shapes.items():
        numbers = [axis.size for axis in shape]
        values[name] = torch.arange(int(torch.tensor(numbers).prod())).view(numbers)
    found = list(picks(layer, T, batch))
    assert {pick.value for pick in found} == {"output", "h_n"}
    for pick in found:
        given = eval(pick.expression, {"torch": torch, "B": batch, **values})
        given = given.reshape(-1, given.shape[-1]) if batch else given[None]
        expected = [[pick.array.entries[number // H] for number in row[::H].tolist()] for row in given]
        assert [list(row) for row in pick.rows] == expected, pick.expression


@pytest.mark.parametrize(("kind", "layers", "batch_first", "both", "batch"), FORMS)
def test_what_is_called_right_is_each_samples_last_state(
    kind: str, layers: int, batch_first: bool, both: bool, batch: int | None
) -> None:
    """By torch: of a packed batch, a right row is what the layer gives for that sample alone."""
    torch.manual_seed(0)
    layer = Layer(kind, 5, H, layers, batch_first=batch_first, bidirectional=both)
    module = getattr(torch.nn, kind)(5, H, layers, batch_first=batch_first, bidirectional=both)
    lengths = [4, 2, 1] if batch else [T]
    x = torch.randn([axis.size for axis in layer.input(T, batch)])
    with torch.no_grad():
        if batch:
            packed = pack_padded_sequence(x, lengths, batch_first=batch_first)
            output, state = module(packed)
            output, _ = pad_packed_sequence(output, batch_first=batch_first)
        else:
            output, state = module(x)
        h_n = state[0] if kind == "LSTM" else state
        alone = []
        for sample, length in enumerate(lengths):
            own = x if batch is None else x.select(0 if batch_first else 1, sample)
            _, last = module(own[:length])
            alone.append((last[0] if kind == "LSTM" else last).reshape(layers, -1))
    for pick in picks(layer, T, batch):
        told = verdict(pick, T, lengths)
        given = eval(pick.expression, {"torch": torch, "B": batch, "output": output, "h_n": h_n})
        given = given if batch else given[None]
        ends = [each.flatten() if given.shape[-1] > alone[0].shape[1] else each[-1] for each in alone]
        right = given.shape == (len(ends), len(ends[0])) and torch.allclose(given, torch.stack(ends), atol=1e-6)
        assert (told == "right") == right, (pick.expression, told)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_picture_is_well_formed_and_tells_the_contracts_sizes(lang: str) -> None:
    layer = Layer("LSTM", 5, 6, 2, batch_first=True, bidirectional=True)
    text = picture(layer, 7, 3, lang)
    said = ["".join(each.itertext()) for each in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    for line in ("output (B, T, D*H) = (3, 7, 12)", "h_n (L*D, B, H) = (4, 3, 6)", "h_n[3]  t0  = output[:, 0, 6:]"):
        assert line in said
    assert WORDS[lang]["drawn"].format("T = 5") in said
    assert "prefers-color-scheme: dark" in text
    assert not any(word in text for word in ("<script", "href", "http://www.w3.org/1999", "url("))


def test_a_verdict_is_drawn_for_each_expression() -> None:
    layer = Layer("GRU", 5, 6, 2, batch_first=True)
    text = picture(layer, 4, 3, lengths=(4, 2, 1))
    for name in ("sample", "padding", "right", "samples"):
        assert WORDS["en"][name] in text
    assert "batch_sizes [3, 2, 1, 1]" in text
    without = picture(layer, 4, 3)
    assert WORDS["en"]["padding"] not in without


def test_large_sizes_are_cut_and_said() -> None:
    text = picture(Layer("LSTM", 5, 6, 900), 10**15, 10**15)
    assert "drawn as if T = 5, B = 5, L = 4" in text
    assert f"(900, {10**15}, 6)" in text
    assert len(text) < 200_000


def test_names_in_a_picture_are_no_markup() -> None:
    text = draw("nn.LSTM(a, b.c, 2)", "en", None)
    ET.fromstring(text)
    assert "h_n (L, B, H) = (2, 3, b.c)" in text


def test_the_entries_of_a_merged_axis_are_in_the_contracts_order() -> None:
    """h_n[l*D + d] is layer l, direction d; in output forward comes first."""
    layer = replace(Layer("LSTM", 5, 6, 2), bidirectional=True)
    h_n = array_of(layer.state("h", 1))
    assert [(entry.layer, entry.direction) for entry in h_n.entries] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert array_of(layer.output(1, 1)).entries == (Entry(0, 0, 0, 0), Entry(0, 0, 0, 1))


def test_the_command_draws(tmp_path: Path) -> None:
    file = tmp_path / "h_n.svg"
    done = CliRunner().invoke(main, ["explain", "LSTM(5, 6, 2)", "--input", "1,3,5", "--svg", str(file)])
    assert done.exit_code == 0, done.output
    assert file.read_text(encoding="utf-8") == gallery()["p1.en.svg"]
    refused = {
        ("h_n", "--svg", str(file)): "not a constructor call",
        ("LSTMCell(5, 6)", "--svg", str(file)): "a picture is of a layer",
        ("LSTM(5, 6)", "--svg", str(tmp_path / "no" / "where.svg")): "No such file",
        ("LSTM(5, 6)", "--lengths", "1,2"): "goes with --svg",
        ("LSTM(5, 6)", "--input", "4,3,5", "--svg", str(file), "--lengths", "5,1,1"): "from 1 to 4",
        ("LSTM(5, 6)", "--input", "4,3,5", "--svg", str(file), "--lengths", "4,1"): "each of 3 samples",
        ("LSTM(5, 6)", "--input", "0,3,5", "--svg", str(file)): "nothing to draw",
    }
    for arguments, reason in refused.items():
        done = CliRunner().invoke(main, ["explain", *arguments])
        assert done.exit_code != 0, arguments
        assert reason in " ".join(done.output.split()), arguments


def test_the_pages_pictures_are_what_the_command_makes() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "pictures").glob("*.svg")}
    assert found == gallery(), "run: python -m fastlstm_lint.explain.drawing docs/pictures"
