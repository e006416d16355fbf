"""`reveal_shape`: a note of the linter, a line on standard error when the program runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from fastlstm_lint import check_source
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.config import Settings
from fastlstm_lint.rules.base import HEADER, model

from fastlstm.testing import reveal_shape

STATE = "(2 layer*direction, B batch, 6 feature)"
INIT = "self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)"


def notes(source: str, settings: Settings | None = None) -> list[str]:
    return [each.message for each in check_source(source, "m.py", settings) if each.code == "FL903"]


def test_it_returns_its_argument_and_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.zeros((2, 3), np.float32)
    assert reveal_shape(x) is x
    reveal_shape(torch.zeros(4, dtype=torch.int64))
    reveal_shape((x, [x], {"a": 1}, ()))
    reveal_shape(torch.nn.utils.rnn.pack_sequence([torch.zeros(3, 5)]))
    assert capsys.readouterr().err.splitlines() == [
        "reveal_shape: (2, 3) float32",
        "reveal_shape: (4,) int64",
        "reveal_shape: tuple of (2, 3) float32, list of (2, 3) float32, dict of a: int, tuple of nothing",
        "reveal_shape: packed (3, 5) float32",
    ]


def test_the_linter_answers_by_every_name_of_it() -> None:
    body = (
        "out, h = self.lstm(x)\ny = reveal_shape(out)\nt.reveal_shape(y[:, -1])\nf.testing.reveal_shape(x)\nreturn out"
    )
    source = "import fastlstm as f\nimport fastlstm.testing as t\n" + HEADER + model(INIT, body)
    assert notes(source) == [
        "out is (B batch, T time, 12 feature)",
        "y[:, -1] is (B batch, 12 feature)",
        "x is (B batch, T time, 5 feature)",
    ]
    assert notes("from fastlstm.testing import reveal_shape\n" + source)[0] == notes(source)[0]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("x.size(1)", "x.size(1) is int T"),
        ("self.lstm", "self.lstm is nn.LSTM(5, 6, batch_first=True, bidirectional=True)"),
        ("self.head", "self.head is nn.Linear(in_features=12, out_features=3)"),
        ("unknown", "unknown is not known"),
        ("self.lstm(x)[1]", f"self.lstm(x)[1] is ({STATE}, {STATE})"),
        ("[x, x.size(0), 1, 2.0]", "[x, x.size(0), 1, 2.0] is [(B batch, T time, 5 feature), int B, int 1, ?]"),
        ("[row for row in x]", "[row for row in x] is sequence of (T time, 5 feature)"),
        ("", "nothing to reveal: reveal_shape takes one argument"),
    ],
)  # fmt: skip
def test_what_is_told(argument: str, told: str) -> None:
    init = INIT + "\nself.head = nn.Linear(12, 3)"
    assert notes(HEADER + model(init, f"self.lstm(x)\nreveal_shape({argument})")) == [told]


def test_code_that_is_never_reached_is_said_so() -> None:
    assert notes(HEADER + model(INIT, "return 1\nreveal_shape(x)")) == ["x is never reached"]


def test_a_program_without_recurrent_layers_is_answered_too() -> None:
    assert notes("import torch\nreveal_shape(torch.zeros(2, 3).t())\n") == ["torch.zeros(2, 3).t() is (3 ?, 2 ?)"]


def test_notes_do_not_fail_a_run_and_other_findings_do(tmp_path: Path) -> None:
    file = tmp_path / "m.py"

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(lint, ["--no-cache", *arguments, str(file)])
        return result.exit_code, result.stdout

    file.write_text(HEADER + model(INIT, "out, _ = self.lstm(x)\nreveal_shape(out)\nreturn out"))
    code, text = run()
    assert code == 0
    assert "FL903 out is" in text
    assert text.endswith("1 note\n"), text
    assert [each["code"] for each in json.loads(run("--output-format", "json", "--select", "FL2")[1])] == ["FL903"]
    assert run("--output-format", "github")[1].startswith("::notice ")
    assert json.loads(run("--output-format", "sarif")[1])["runs"][0]["results"][0]["level"] == "note"
    assert 'failures="0"' in run("--output-format", "junit")[1]
    assert run("--ignore", "FL903") == (0, "")
    baseline = tmp_path / "baseline.json"
    assert run("--baseline", str(baseline), "--write-baseline")[0] == 0
    assert "FL903" not in baseline.read_text()
    before = file.read_text()
    assert run("--add-noqa")[0] == 0
    assert file.read_text() == before
    file.write_text(before.replace("return out", "return out[-1]"))
    code, text = run()
    assert code == 1
    assert "1 finding in 1 file, 1 note, 1 with a fix that changes results (--unsafe-fixes)" in text


def test_a_note_can_be_silenced() -> None:
    assert notes("import torch\nreveal_shape(torch.zeros(2))  # noqa: FL903\n") == []
    assert notes("import torch\nreveal_shape(torch.zeros(2))\n", Settings(select=("FL2",), ignore=("FL9",))) == []


def test_flake8_is_told_no_notes() -> None:
    from fastlstm_lint.flake8 import Plugin

    lines = ["import torch\n", "reveal_shape(torch.zeros(2))\n"]
    assert notes("".join(lines))
    assert list(Plugin(None, "m.py", lines).run()) == []
