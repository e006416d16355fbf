"""What a value is survives what it goes through: merged rows know their parts, and a head keeps the time axis."""

from __future__ import annotations

import lint_programs as programs
import pytest
from fastlstm_lint import check_source
from fastlstm_lint.rules.base import HEADER, model
from fastlstm_lint.shapes.lines import read_program

MERGES = ("reshape(T * B, 6)", "reshape(-1, 6)", "view(B * T, -1)", "flatten(0, 1)", "reshape(-1, out.shape[-1])")
SPLITS = ("view(T, B, 2)", "view(T, B, -1)", "view(T, -1, 2)", "unflatten(0, (T, B))", "reshape((T, B, -1))")
"""Of batch-major rows: each gives every position the numbers of another one."""


def rows(merge: str, split: str, batch_first: bool, head: str = "self.head({})") -> str:
    """A model that merges the output's first two axes, applies `head`, and splits the rows."""
    first = "B, T" if batch_first else "T, B"
    merged = head.format(f"out.{merge}")
    width = "2" if "head" in head else "6"
    return model(
        f"self.lstm = nn.LSTM(5, 6, batch_first={batch_first})\nself.head = nn.Linear(6, 2)",
        f"{first}, _ = x.shape\nout, _ = self.lstm(x)\nrows = {merged}\ny = rows.{split.replace('2', width)}\nreturn y",
    )


def mirrored(split: str) -> str:
    """The same split with time and batch exchanged."""
    return split.translate(str.maketrans("TB", "BT"))


def codes(source: str) -> list[str]:
    return [finding.code for finding in check_source(source, "case.py")]


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("merge", MERGES)
def test_rows_split_in_the_other_order_than_they_were_merged_in_are_found(
    merge: str, split: str, batch_first: bool
) -> None:
    wrong, right = (split, mirrored(split)) if batch_first else (mirrored(split), split)
    assert codes(HEADER + rows(merge, wrong, batch_first)) == ["FL204"]
    assert codes(HEADER + rows(merge, wrong, batch_first, "torch.relu({})")) == ["FL204"]
    assert codes(HEADER + rows(merge, right, batch_first)) == []


def test_such_rows_mix_samples_when_they_are_run_and_the_right_ones_do_not() -> None:
    x, batch = programs.make_input("B=4 T=7 I=5")
    for merge in MERGES[:2]:
        for split in SPLITS[:2]:
            right = rows(merge, mirrored(split), True)
            wrong = rows(merge, split, True).replace("return y", "return y.transpose(0, 1)")
            assert programs.mixes(programs.build(HEADER + wrong), x, batch)
            assert not programs.mixes(programs.build(HEADER + right), x, batch)


def test_rows_split_as_they_were_and_then_permuted_are_silent() -> None:
    assert codes(HEADER + rows("reshape(T * B, 6)", "view(B, T, -1).permute(1, 0, 2)", batch_first=True)) == []
    assert codes(HEADER + rows("reshape(T * B, 6)", "view(T, B, -1)", batch_first=False)) == []


def test_a_view_that_scrambles_gives_its_axes_no_meaning() -> None:
    source = HEADER + rows("reshape(T * B, 6)", "view(B, T, -1)", batch_first=False)
    shown = {bound.name: str(bound.words) for line in read_program(source).lines for bound in line.bound}
    assert shown["rows"] == "(B*T time*batch, 2 feature)"
    assert shown["y"] == "(B ?, T ?, 2 ?)"


OWN = """
class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, value):
        return torch.tanh(self.norm(value))

"""

HEADS = {
    "a Linear": ("self.head = nn.Linear(12, 3)", "self.head({})"),
    "a Sequential": (
        "self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 3))",
        "self.head({})",
    ),
    "a module of one's own": ("self.head = Norm(12)", "self.head({})"),
    "a module of one's own in a Sequential": ("self.head = nn.Sequential(Norm(12), nn.Linear(12, 3))", "self.head({})"),
    "a norm and an activation": ("self.norm = nn.LayerNorm(12)", "F.elu(self.norm({}))"),
    "rows and back": ("self.head = nn.Linear(12, 3)", "self.head({}.flatten(0, 1)).unflatten(0, (len(x), -1))"),
    "parts of a ModuleList": ("self.heads = nn.ModuleList([nn.Linear(12, 3), nn.Linear(12, 3)])", "self.heads[0]({})"),
}


def headed(name: str, layer: str, use: str, batch_first: bool = True) -> str:
    init, head = HEADS[name]
    return OWN + model(f"self.rnn = {layer}\n{init}", f"out, _ = self.rnn(x)\ny = {head.format('out')}\nreturn {use}")


@pytest.mark.parametrize("name", HEADS)
def test_the_last_step_of_a_bidirectional_output_is_found_behind(name: str) -> None:
    both = "nn.LSTM(5, 6, bidirectional=True, batch_first=True)"
    assert codes(HEADER + headed(name, both, "y[:, -1]")) == ["FL208"]
    assert codes(HEADER + headed(name, "nn.LSTM(5, 12, batch_first=True)", "y[:, -1]")) == []


@pytest.mark.parametrize("name", HEADS)
def test_the_last_sample_instead_of_the_last_step_is_found_behind(name: str) -> None:
    assert codes(HEADER + headed(name, "nn.LSTM(5, 12, batch_first=True)", "y[-1]")) == ["FL201"]
    assert codes(HEADER + headed(name, "nn.LSTM(5, 12)", "y[:, -1]")) == ["FL202"]
    assert codes(HEADER + headed(name, "nn.LSTM(5, 12)", "y[-1]")) == []


@pytest.mark.parametrize("name", HEADS)
def test_the_wrong_layout_is_found_behind(name: str) -> None:
    top = "nn.GRU(3, 4)" if "Linear" in HEADS[name][0] else "nn.GRU(12, 4)"
    source = headed(name, "nn.LSTM(5, 12, batch_first=True)", "self.top(y)[0]")
    source = source.replace("self.rnn = ", f"self.top = {top}\n        self.rnn = ")
    assert codes(HEADER + source) == ["FL203"]
    assert codes(HEADER + source.replace(top, top[:-1] + ", batch_first=True)")) == []


@pytest.mark.parametrize("name", HEADS)
def test_padding_is_found_behind(name: str) -> None:
    pad = "nn.utils.rnn.pad_packed_sequence"
    source = headed(name, "nn.LSTM(5, 12, batch_first=True)", "y[:, -1]")
    padded = source.replace("out, _ = self.rnn(x)", f"out, _ = {pad}(self.rnn(x)[0], batch_first=True)")
    assert "FL403" in codes(HEADER + padded)
    assert codes(HEADER + padded.replace("y[:, -1]", "y.sum(1)")) == []


def test_many_to_one_squeezed_without_an_axis_is_found_behind_the_head() -> None:
    init = "self.rnn = nn.LSTM(5, 6, batch_first=True)\nself.head = nn.Linear(6, 1)"
    wrong = model(init, "out, (h, _) = self.rnn(x)\nreturn self.head(out[:, -1]).squeeze()")
    assert codes(HEADER + wrong) == ["FL605"]
    assert codes(HEADER + wrong.replace("out[:, -1]", "h[-1]")) == ["FL605"]
    assert codes(HEADER + wrong.replace("squeeze()", "squeeze(-1)")) == []


READS = {
    "sizes inline": "y = x.view(x.size(1), x.size(0), x.size(2))",
    "the shape inline": "y = x.reshape(x.shape[1], x.shape[0], -1)",
    "the shape under a name": "s = x.shape\ny = x.view(s[1], s[0], s[2])",
    "negative axes": "y = x.view(x.size(-2), x.size(-3), x.size(-1))",
    "len": "y = x.view(x.size(1), len(x), x.size(2))",
    "some under a name": "b = x.size(0)\ny = x.view(x.size(1), b, -1)",
    "the last two": "y = x.view(x.size(0), x.size(2), x.size(1))",
}


@pytest.mark.parametrize("name", READS)
def test_axes_named_once_in_another_order_are_exchanged_whatever_the_rank(name: str) -> None:
    inside = model("self.gru = nn.GRU(5, 6)", f"{READS[name]}\nreturn y")
    free = f"layer = nn.LSTM(3, 4)\ndef mix(x):\n    {READS[name].replace(chr(10), chr(10) + '    ')}\n    return y\n"
    seen = f"layer = nn.LSTM(3, 4)\nx = torch.zeros(3, 4, 5)\n{READS[name]}\n"
    for source in (inside, free, seen):
        assert codes(HEADER + source) == ["FL204"], source
    same = model("self.gru = nn.GRU(5, 6)", "y = x.view(x.size(0), x.shape[1], x.size(-1))\nreturn y")
    assert codes(HEADER + same) == []


def test_axes_that_may_be_1_go_into_a_hole_with_others_in_silence() -> None:
    for line in ("y = x.view(x.size(1), -1)", "y = x.view(-1, x.size(1))", "y = x.view(x.size(0), -1, x.size(2))"):
        assert codes(HEADER + model("self.gru = nn.GRU(5, 6)", f"{line}\nreturn y")) == [], line
    flat = model("self.gru = nn.GRU(5, 6)", "n, rest, wide = x.shape\ny = x.view(rest, -1)\nreturn y")
    assert codes(HEADER + flat) == []


def test_repeated_rows_are_copy_major() -> None:
    body = "n, f = x.shape\ny = {}\nreturn y"
    layer = "self.gru = nn.GRU(5, 6)\nself.steps = steps"
    wrong = ("x.repeat(self.steps, 1).view(n, self.steps, f)", "x.repeat(self.steps, 1).reshape((n, self.steps, -1))")
    right = (
        "x.repeat(self.steps, 1).view(self.steps, n, f)",
        "x.repeat_interleave(self.steps, dim=0).view(n, self.steps, f)",
        "x.unsqueeze(1).repeat(1, self.steps, 1)",
        "x.unsqueeze(1).repeat(1, self.steps, 1).view(n, self.steps, f)",
    )
    for text in wrong:
        assert codes(HEADER + model(layer, body.format(text), "steps")) == ["FL204"], text
    for text in right:
        assert codes(HEADER + model(layer, body.format(text), "steps")) == [], text
    interleaved = "x.repeat_interleave(self.steps, dim=0).view(self.steps, n, f)"
    assert codes(HEADER + model(layer, body.format(interleaved), "steps")) == ["FL204"]


def test_an_axis_that_the_program_has_made_sure_is_1_may_be_viewed_away() -> None:
    body = "h, w, b = x.shape\n{}y = x.view(w, h, b)\nreturn y"
    sure = (
        "if h != 1:\n    raise ValueError('one row')\n",
        "assert h == 1\n",
        "assert h == 1, 'one row'\n",
        "if not h == 1:\n    return x\n",
        "if h > 1 or b > 9:\n    return None\n",
        "if h == 1:\n    pass\nelse:\n    raise ValueError\n",
    )
    assert codes(HEADER + model("self.gru = nn.GRU(5, 6)", body.format(""))) == ["FL204"]
    assert codes(HEADER + model("self.gru = nn.GRU(5, 6)", body.format("assert h != 1\n"))) == ["FL204"]
    for test in sure:
        assert codes(HEADER + model("self.gru = nn.GRU(5, 6)", body.format(test))) == [], test


FLAG = """
class Net(nn.Module):
    def __init__(self, width, both{default}):
        super().__init__()
        self.gru = nn.GRU(5, width, batch_first=True, bidirectional=both)
        self.head = nn.Linear({size}, 2)

    def forward(self, x):
        out, h = self.gru(x)
        return self.head({use})
"""


def messages(source: str) -> list[tuple[str, str]]:
    found = check_source(source, "case.py")
    return [(each.code, each.message.partition("(when ")[2].partition(")")[0]) for each in found]


@pytest.mark.parametrize("default", ["", "=False"])
def test_what_holds_for_one_value_of_a_flag_only_says_so(default: str) -> None:
    width = HEADER + FLAG.format(default=default, size="width", use="out")
    assert messages(width) == [("FL301", "both is True")]
    doubled = HEADER + FLAG.format(default=default, size="width * 2", use="out")
    assert messages(doubled) == [("FL301", "both is False")]
    right = HEADER + FLAG.format(default=default, size="width * (2 if both else 1)", use="out")
    assert messages(right) == []
    last = HEADER + FLAG.format(default=default, size="width", use="h[-1]")
    assert messages(last) == [("FL303", "both is True")]


def test_a_flag_that_the_program_itself_gives_is_not_guessed() -> None:
    width = HEADER + FLAG.format(default="", size="width", use="out")
    assert codes(width + "\nnet = Net(6, False)\nnet(torch.zeros(4, 7, 5))\n") == []
    assert codes(width + "\ndef main():\n    net = Net(6, False)\n    net(torch.zeros(4, 7, 5))\n") == []
    assert codes(width + "\nnet = Net(6, True)\nnet(torch.zeros(4, 7, 5))\n") == ["FL301"]


def test_the_fix_of_a_head_that_ignores_a_flag_asks_the_flag() -> None:
    (finding,) = check_source(HEADER + FLAG.format(default="", size="width", use="out"), "case.py")
    assert finding.fix is not None
    assert [edit.content for edit in finding.fix.edits] == ["width * (2 if both else 1)"]


UNBATCHED = """
class Spell(nn.Module):
    def __init__(self, letters, width, kinds):
        super().__init__()
        self.width = width
        self.rnn = nn.RNN(letters, width, 2)
        self.head = nn.Linear(width, kinds)
        self.squash = nn.Softmax(dim=0)

    def forward(self, x, h):
        y, h = self.rnn(x, h)
        return self.squash(self.head(y[-1])), h

    def start(self):
        return torch.zeros(2, self.width)
"""


def test_a_model_that_its_file_uses_unbatched_is_left_alone() -> None:
    called = "net = Spell(26, 16, 5)\nnet(torch.randn(10, 26), net.start())\n"
    inside = "def main():\n    " + called.replace("\n", "\n    ").rstrip() + "\n"
    assert codes(HEADER + UNBATCHED) == ["FL603"]
    assert codes(HEADER + UNBATCHED + called) == []
    assert codes(HEADER + UNBATCHED + inside) == []
    assert codes(HEADER + UNBATCHED + called.replace("10, 26", "10, 4, 26").replace("net.start()", "None")) == ["FL603"]


def test_a_loop_over_modules_of_several_kinds_goes_through_each() -> None:
    source = """
class First(nn.Module):
    def forward(self, pair):
        return pair[0]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.LSTM(5, 6, bidirectional=True), First(), nn.Linear(SIZE, 2)])

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x
"""
    assert codes(HEADER + source.replace("SIZE", "6")) == ["FL301"]
    assert codes(HEADER + source.replace("SIZE", "12")) == []
    through = source.replace("nn.ModuleList([", "nn.Sequential(").replace("])\n", ")\n")
    assert codes(HEADER + through.replace("SIZE", "6")) == ["FL301"]
    assert codes(HEADER + through.replace("SIZE", "12")) == []


def test_the_shapes_of_a_model_keep_their_names_when_a_function_of_the_file_calls_it() -> None:
    source = HEADER + model("self.gru = nn.GRU(5, 6, batch_first=True)", "out, h = self.gru(x)\nreturn out")
    called = source + "\ndef main():\n    net = Model()\n    y = net(torch.zeros(4, 7, 5))\n"
    shown = {bound.name: str(bound.words) for line in read_program(called).lines for bound in line.bound}
    assert shown["out"] == "(B batch, T time, 6 feature)"
    assert shown["y"] == "(4 batch, 7 time, 6 feature)"


def test_axes_named_in_the_other_order_behind_a_free_first_one_are_found_once() -> None:
    for last in ("nodes", "self.head(nodes)"):
        source = HEADER + model(
            "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(5, 6)\nself.norm = nn.BatchNorm1d(6)",
            f"nodes = x\ny = {last}\ny = self.norm(y.view(-1, y.size(2), y.size(1)))\n"
            "return y.view(-1, y.size(2), y.size(1))",
        )
        assert codes(source) == ["FL204"]
        assert codes(source.replace("y.size(2), y.size(1)", "y.size(1), y.size(2)")) == []
