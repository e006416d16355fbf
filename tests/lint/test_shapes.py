"""`fastlstm shapes`: comments shown beside lines, written into files, and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fastlstm_lint.cli.shapes import shapes
from fastlstm_lint.rules.base import HEADER, model
from fastlstm_lint.shapes.document import Document
from fastlstm_lint.shapes.grammar import read, read_written, split
from fastlstm_lint.shapes.lines import read_program

OUT = "(B batch, T time, 12 feature)"
STATE = "(2 layer*direction, B batch, 6 feature)"
INIT = "self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)"


def comments(source: str) -> dict[str, str]:
    """The comments that are written, by the code they stand beside."""
    lines = Document(source, "m.py").written().splitlines()
    pairs = [line.split("  # ", 1) for line in lines if "  # " in line]
    return {code.strip(): comment for code, comment in pairs}


def forward(body: str, init: str = INIT, arguments: str = "") -> dict[str, str]:
    return comments(HEADER + model(init, body, arguments))


def run(*arguments: str, text: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(shapes, list(arguments), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_names_of_one_line_share_a_comment_and_parameters_and_results_have_theirs() -> None:
    found = forward("out, (h_n, _) = self.lstm(x)\nself.last = y = out[:, -1]\nreturn self.lstm(x)[0].sum(1)")
    assert found == {
        "def forward(self, x):": "x: (B batch, T time, 5 feature)",
        "out, (h_n, _) = self.lstm(x)": f"out: {OUT}; h_n: {STATE}",
        "self.last = y = out[:, -1]": "self.last: (B batch, 12 feature); y: (B batch, 12 feature)",
        "return self.lstm(x)[0].sum(1)": "return: (B batch, 12 feature)",
    }


@pytest.mark.parametrize(
    ("body", "code", "comment"),
    [
        ("b, t, _ = x.shape\nh = x.new_zeros(b, 6)\nself.lstm(x)", "h = x.new_zeros(b, 6)", "h: (b batch, 6 ?)"),
        (
            "y = self.lstm(x)[0]; z = y.sum(1)",
            "y = self.lstm(x)[0]; z = y.sum(1)",
            f"y: {OUT}; z: (B batch, 12 feature)",
        ),
        ("if (y := self.lstm(x)[0]).sum() > 0:\n    pass", "if (y := self.lstm(x)[0]).sum() > 0:", f"y: {OUT}"),
        ("for row in self.lstm(x)[0]:\n    pass", "for row in self.lstm(x)[0]:", "row: (T time, 12 feature)"),
        ("pair = self.lstm(x)[1]", "pair = self.lstm(x)[1]", f"pair: ({STATE}, {STATE})"),
        ("s: object = self.lstm(x)[0].sum()", "s: object = self.lstm(x)[0].sum()", "s: ()"),
        ("a = torch.zeros(2, 3)\na += 1", "a += 1", "a: (2 ?, 3 ?)"),
        (
            "p = nn.utils.rnn.pack_sequence([torch.zeros(3, 5)])\np, _ = self.lstm(p)",
            "p, _ = self.lstm(p)",
            "p: packed (1 batch, 3 time, 12 feature)",
        ),
        (
            "p = nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True)\nself.lstm(p)",
            "def forward(self, x):",
            "x: (B batch, T time, 5 feature)",
        ),
    ],
)
def test_what_stands_beside_a_line(body: str, code: str, comment: str) -> None:
    assert forward(body)[code] == comment


def test_sizes_are_called_as_the_program_calls_them() -> None:
    found = forward(
        "return self.lstm(x)[0]", "self.lstm = nn.LSTM(width, hidden, bidirectional=True)", "width, hidden=6"
    )
    assert found["return self.lstm(x)[0]"] == "return: (T time, B batch, 2*hidden feature)"
    assert found["def forward(self, x):"] == "x: (T time, B batch, width feature)"


def test_a_second_batch_size_has_a_name_of_its_own() -> None:
    source = HEADER + "lstm = nn.LSTM(5, 6)\ndef f(x, y):\n    return lstm(x)[0], lstm(y)[0]\n"
    assert comments(source)["def f(x, y):"] == "x: (T time, B batch, 5 feature); y: (T2 time, B2 batch, 5 feature)"


def test_what_differs_between_turns_of_a_loop_or_calls_is_a_question_mark() -> None:
    loop = "acc = torch.zeros(4, 0)\nfor step in range(3):\n    acc = torch.cat([acc, torch.zeros(4, 2)], dim=1)\n"
    found = forward(loop + "self.lstm(x)")
    assert found["acc = torch.zeros(4, 0)"] == "acc: (4 ?, 0 ?)"
    assert found["acc = torch.cat([acc, torch.zeros(4, 2)], dim=1)"] == "acc: (4 ?, ?)"
    source = "import torch\ndef f(x):\n    y = x + 1\n    return y * 2\nf(torch.zeros(3, 2)); f(torch.zeros(4, 2))\n"
    assert comments(source)["y = x + 1"] == "y: (?, 2 ?)"
    assert "y = x + 1" not in comments(source.replace("zeros(4, 2)", "zeros(4)"))


def test_a_call_seen_in_the_file_does_not_narrow_what_holds_for_all_callers() -> None:
    found = comments(HEADER + model(INIT, "out, _ = self.lstm(x)\nreturn out") + "y = Model()(torch.zeros(2, 3, 5))\n")
    assert found["out, _ = self.lstm(x)"] == "out: (B batch, T time, 12 feature)"
    assert found["y = Model()(torch.zeros(2, 3, 5))"] == "y: (2 batch, 3 time, 12 feature)"


def test_persons_comments_stay_and_old_ones_of_ours_are_renewed() -> None:
    source = HEADER + (
        "lstm = nn.LSTM(5, 6)  # lstm: the layer\n"
        "x = torch.zeros(2, 3, 5)  # type: ignore  # x: (9 ?, 3 ?, 5 ?)\n"
        "y = lstm(x)[0]  # y: (T, B, H)\n"
        "z = y[-1]  # gone: (3 batch, 6 feature); also_gone: ()\n"
        "print(z)  # z: (3 batch, 6 feature)\n"
        "w = unknown(z)  # w: (3 batch, 6 feature)\n"
        "# v: (3 batch, 6 feature)\n"
        "f = g = (  # f: ()\n    y\n)\n"
        "type = x  # x\n"
    )
    written = Document(source, "m.py").written()
    assert written == HEADER + (
        "lstm = nn.LSTM(5, 6)  # lstm: the layer\n"
        "x = torch.zeros(2, 3, 5)  # type: ignore  # x: (2 time, 3 batch, 5 feature)\n"
        "y = lstm(x)[0]  # y: (T, B, H)  # y: (2 time, 3 batch, 6 feature)\n"
        "z = y[-1]  # z: (3 batch, 6 feature)\n"
        "print(z)\n"
        "w = unknown(z)  # w: (3 batch, 6 feature)\n"
        "# v: (3 batch, 6 feature)\n"
        "f = g = (  # f: ()\n    y\n)  # f: (2 time, 3 batch, 6 feature); g: (2 time, 3 batch, 6 feature)\n"
        "type = x  # x\n"
    )
    assert Document(written, "m.py").written() == written


def test_shown_comments_are_aligned_up_to_a_blank_line() -> None:
    text = (
        "import torch\na = torch.zeros(2)\nlong_name = torch.zeros(2)\n\nb = torch.zeros(2)\n"
        + "c = "
        + "1 + " * 30
        + "a\n"
    )
    assert Document(text, "m.py").shown().splitlines()[1:] == [
        "a = torch.zeros(2)          # a: (2 ?)",
        "long_name = torch.zeros(2)  # long_name: (2 ?)",
        "",
        "b = torch.zeros(2)  # b: (2 ?)",
        "c = " + "1 + " * 30 + "a  # c: (2 ?)",
    ]


def test_encoding_line_ends_and_form_feeds_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    lines = "# coding: latin-1", "# \xe9", "\x0c", "import torch", "x = torch.zeros(2) # \xe9", "n = 'a\x0cb'", "y = x"
    body = "\r\n".join(lines).encode("latin-1")
    file.write_bytes(body)
    assert run("--write", str(file)).exit_code == 0
    assert file.read_bytes() == body.replace(b" # \xe9\r\nn", b" # \xe9  # x: (2 ?)\r\nn") + b"  # y: (2 ?)"
    once = file.read_bytes()
    assert run("--write", str(file)).stderr == ""
    assert file.read_bytes() == once


@pytest.mark.parametrize(
    "text",
    ["", "x", "x = 1;", "if 1: import torch; x = torch.zeros(2)\n", "import torch\nx = torch.zeros(\n  2\n  )"],
)
def test_odd_programs_are_shown_and_written_without_change_of_the_program(text: str) -> None:
    written = Document(text, "m.py").written()
    assert Document(written, "m.py").written() == written


def test_unreadable_files_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(:\n")
    (tmp_path / "b.py").write_text("import torch\nx = torch.zeros(2)\n")
    (tmp_path / "c.py").write_bytes(b"# coding: utf-8\n\xff")
    (tmp_path / "d.ipynb").write_text("[]")
    result = run(*(str(tmp_path / name) for name in ("a.py", "b.py", "c.py", "d.ipynb")))
    assert result.exit_code == 1
    assert "x: (2 ?)" in result.stdout
    assert [line.split(": ")[0].rpartition("/")[2] for line in result.stderr.splitlines()] == [
        "a.py",
        "c.py",
        "d.ipynb",
    ]
    assert run(str(tmp_path / "none.py")).exit_code == 2
    assert run("--write", "--check", str(tmp_path / "b.py")).exit_code == 2
    assert run().exit_code == 2


CHECKED = HEADER + "\nlstm = nn.LSTM(5, hidden, bidirectional=True, batch_first=True)\ndef f(x, a):\n    {}\n"

RIGHT = [
    "out, _ = lstm(x)  # (B, T, 2*hidden)",
    "out, _ = lstm(x)  # out: [batch, seq_len, hidden_size * num_directions(=2)]",
    "out, _ = lstm(x)  # shape: batch x time x features",
    "out, _ = lstm(x)  # out: (? batch, ?, ? feature)",
    "out, _ = lstm(x)  # (B, N, 7)",
    "out, (h, _) = lstm(x)  # (2, 3)",
    "out, (h, _) = lstm(x)  # h: (2 layer*direction, B batch, hidden feature)",
    "_, (h, _) = lstm(x)  # (1, 2)  two numbers",
    "out = torch.sigmoid(lstm(x)[0])  # [0, 1]",
    "out, _ = lstm(x)  # see (Bahdanau, 2015)",
    "out, _ = lstm(x)  # (T, 2*hidden)",
    "y = unknown(a)  # (B, T)\n    p = nn.utils.rnn.pack_padded_sequence(y, x, batch_first=True)",
    "y = unknown(x)  # (B, T)",
    "return lstm(x)[0]  # output: (B, T, 2H)",
    "def g(x, y): # (B, T)\n        lstm(x)",
    "out = a.view(3, -1)  # out: (3, 4)",
    "p = nn.utils.rnn.pack_sequence([a])  # (B, T, 9)",
    "out = lstm(x)[0].reshape(-1, 2 * hidden)  # (B*T, 2*hidden)",
]

WRONG = [
    ("out, _ = lstm(x)  # (T, B, 2*hidden)", "the comment says (T, B, 2*hidden): axis 0 is batch, not time"),
    ("out, _ = lstm(x)  # (B, T, hidden)", "axis 2 has size 2*hidden, not hidden"),
    ("out, _ = lstm(x)  # out: (B batch, T time, 2*hidden+1 feature)", "axis 2 has size 2*hidden, not 2*hidden+1"),
    ("out, _ = lstm(x)  # output, no\n    last = out[:, -1]  # last: (B batch, T time, 4 ?)", "it has 2 axes, not 3"),
    ("_, (h, _) = lstm(x)  # [B, 2, hidden]", "axis 0 is layer*direction, not batch"),
    ("state = lstm(x)[1]  # state: ((2 ?, ?, ?), (3 ?, ?, ?))", "axis 0 has size 2, not 3"),
    ("state = lstm(x)[1]  # state: ((2 ?, ?, ?), (2 ?, ?, ?), (2 ?, ?, ?))", "it has 2 items, not 3"),
    ("out = lstm(x)[0]  # out: ((B batch, T time), (B batch))", "one tensor, not a tuple"),
    ("out = lstm(x)[0]  # out: packed (B batch, T time, 2*hidden feature)", "not a packed sequence"),
    ("return lstm(x)[0].sum(1)  # returns: (B, T)", "axis 1 is feature, not time"),
    ("a = torch.zeros(2, 3)  # (2, 4)", "axis 1 has size 3, not 4"),
    ("out = lstm(x)[0].reshape(-1, 2 * hidden)  # (B, 2*hidden)", "axis 0 is batch*time, not batch"),
]  # fmt: skip


@pytest.mark.parametrize("line", RIGHT)
def test_a_comment_that_may_be_right_is_not_reported(line: str) -> None:
    assert Document(CHECKED.format(line), "m.py").contradictions() == []


@pytest.mark.parametrize(("line", "reason"), WRONG)
def test_a_comment_that_is_wrong_is_reported_with_the_reason(line: str, reason: str) -> None:
    ((_, message),) = Document(CHECKED.format(line), "m.py").contradictions()
    assert message.endswith(reason)


@pytest.mark.parametrize(("line", "reason"), WRONG)
def test_what_is_written_passes_the_check(line: str, reason: str) -> None:
    source = CHECKED.format(line.split("  #")[0])
    assert Document(Document(source, "m.py").written(), "m.py").contradictions() == []


def test_the_check_lists_places_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "m.py").write_text("import torch\nx = torch.zeros(2, 3)  # (2, 4)\n")
    (tmp_path / "n.py").write_text("x = 1  # (2, 4)\n")
    result = run("--check", str(tmp_path))
    assert result.exit_code == 1
    assert (
        result.stdout == f"{tmp_path}/sub/m.py:2: x is (2 ?, 3 ?), the comment says (2, 4): axis 1 has size 3, not 4\n"
    )
    assert run("--check", str(tmp_path / "n.py")).exit_code == 0


def test_standard_input_is_shown_written_and_checked() -> None:
    text = "import torch\nx = torch.zeros(2, 3)  # x: (2 ?, 4 ?)\n"
    written = "import torch\nx = torch.zeros(2, 3)  # x: (2 ?, 3 ?)\n"
    assert run("-", text=text).stdout == written
    assert run("--write", "-", text=text).stdout == written
    result = run("--check", "--stdin-filename", "m.py", "-", text=text)
    assert (result.exit_code, result.stdout.split(": ")[0]) == (1, "m.py:2")


def test_notebooks_are_commented_cell_by_cell(tmp_path: Path) -> None:
    file = tmp_path / "n.ipynb"
    cells = ["%matplotlib inline\nimport torch", "!ls\nx = torch.zeros(2, 3)", "y = x.t()  # (2, 3)"]
    entries = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    file.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# x"}, *entries]}))
    assert "# --- cell 3\n!ls\nx = torch.zeros(2, 3)  # x: (2 ?, 3 ?)\n" in run(str(file)).stdout
    result = run("--check", str(file))
    assert result.stdout == f"{file}:cell 4:1: y is (3 ?, 2 ?), the comment says (2, 3): axis 0 has size 3, not 2\n"
    assert run("--write", str(file)).exit_code == 0
    assert [cell["source"] for cell in json.loads(file.read_text())["cells"]] == [
        "# x",
        cells[0],
        "!ls\nx = torch.zeros(2, 3)  # x: (2 ?, 3 ?)",
        "y = x.t()  # (2, 3)  # y: (3 ?, 2 ?)",
    ]
    once = file.read_text()
    assert run("--write", str(file)).exit_code == 0
    assert file.read_text() == once


@pytest.mark.parametrize(
    "text",
    [
        "x: (B batch, T time, 2*H feature)",
        "a.b: packed (?, 1 ?, n+1 feature); c: ()",
        "s: ((? time), (B*T batch*time))",
    ],
)
def test_the_written_form_is_read_back(text: str) -> None:
    entries = read_written(text)
    assert entries is not None
    assert "; ".join(entry.text for entry in entries) == text


@pytest.mark.parametrize(
    "text", ["x: (B, T)", "x (B batch)", "x: (B batch) or so", "x: (B batch", "x: B batch", "(B batch)"]
)
def test_other_comments_are_a_persons(text: str) -> None:
    assert read_written(text) is None
    assert split(f"# {text}") == (f"# {text}", [])


def test_a_comment_in_a_tool_language_is_nobodys_shape() -> None:
    assert read("# type: (B, T)") == []
    assert read("# noqa: E501") == []


def test_each_function_names_its_sizes_anew() -> None:
    source = HEADER + "lstm = nn.LSTM(5, 6)\ndef f(x):\n    return lstm(x)\ndef g(y):\n    return lstm(y)\n"
    assert comments(source)["def g(y):"] == "y: (T time, B batch, 5 feature)"


def test_a_parameter_named_after_its_own_class_is_a_tensor() -> None:
    source = HEADER + model("self.lstm = nn.LSTM(5, 6)", "return self.lstm(tokens)[0]").replace(
        "(self, x)", "(self, tokens)"
    )
    found = comments(source.replace("class Model", "class Tokens"))
    assert found["def forward(self, tokens):"] == "tokens: (T time, B batch, 5 feature)"


def test_the_comment_of_a_long_head_stands_at_its_end() -> None:
    source = HEADER + "lstm = nn.LSTM(5, 6)\ndef f(\n    x,\n):\n    return lstm(x)[0]\n"
    assert comments(source)["):"] == "x: (T time, B batch, 5 feature)"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (
            "    #x = [batch size, src len, emb dim]\n    y = lstm(x)[0]\n"
            "    #y = [batch size, src len, n layers * hid dim]\n",
            [],
        ),
        ("    y = lstm(x)[0]\n    # y: [src len, batch size, hid dim]\n", [2]),
        ("    # y: [src len, batch size, hid dim]\n    y = lstm(x)[0]\n", [1]),
        ("    y = lstm(x)[0]\n    # y: (B, hid dim)\n    y = y[:, -1]\n", []),
        ("    y = lstm(x)[0]\n    # y: (B, hid dim, T)\n    y = y[:, -1]\n", [2]),
        ("    y = lstm(x)[0]\n    # (B, hid dim)\n", []),
        ("    y = lstm(x)[0]\n    y = unknown(y)\n    # y: (T, B, 6)\n", []),
        ("    y = lstm(x)[0]\ndef g(z):\n    # y: (T, B, 6)\n    pass\n", []),
        ("    # y: [batch size, src len, and so on]\n    y = lstm(x)[0]\n", []),
    ],
)
def test_a_comment_on_its_own_line_is_about_its_name_above_or_below(body: str, wrong: list[int]) -> None:
    source = HEADER + "lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)\ndef f(x):\n"
    start = source.count("\n")
    found = Document(source + body, "m.py").contradictions()
    assert [int(place) - start for place, _ in found] == wrong


def test_tuples_in_tuples_are_spelled_out_as_far_as_anybody_reads_them() -> None:
    program = read_program("import torch\nx = torch.zeros(2, 3)\nfour = ((((x,),),),)\nfive = (((((x,),),),),)\n")
    notes = {row.row: row.note for row in program.rows()}
    assert notes[3] == "four: (((((2 ?, 3 ?)))))"
    assert notes[4] == ""
