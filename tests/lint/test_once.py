"""A file is read, parsed and walked once, and once more for each round of fixes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastlstm_lint import check_source, disk, parsing
from fastlstm_lint import run as linting
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.finding import Place
from fastlstm_lint.interpreter.machine import Machine
from fastlstm_lint.lsp.buffer import Buffer
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER

PROGRAM = """\
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, dropout=0.5, batch_first=True)

    def forward(self, x):
        out, (h, c) = self.lstm(x)
        return out[-1]
"""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a file is read, a text is parsed, and a program is walked."""
    found: Counter[str] = Counter()

    def count(owner: Any, name: str, word: str) -> None:
        original = getattr(owner, name)

        def counting(*given: Any, **named: Any) -> Any:
            found[word] += word != "reads" or Path(given[0]).suffix == ".py"
            return original(*given, **named)

        monkeypatch.setattr(owner, name, counting)

    count(disk, "read", "reads")
    count(parsing, "tree_of", "parses")
    count(parsing, "build", "trees")
    count(Machine, "walk", "walks")
    return found


def run(folder: Path, *options: str) -> str:
    return CliRunner().invoke(lint, ["-j", "1", *options, str(folder)]).output


@pytest.mark.parametrize("text", [PROGRAM, PROGRAM.replace("self.lstm(x)", "self.lstm(x  # noqa: FL999\n        )")])
def test_a_file_is_read_parsed_and_walked_once(tmp_path: Path, counted: Counter[str], text: str) -> None:
    (tmp_path / "m.py").write_text(text)
    assert "FL201" in run(tmp_path, "--no-cache")
    assert counted == {"reads": 1, "parses": 1, "trees": 1, "walks": 1}


def test_files_that_are_too_many_to_be_held_are_read_again(
    tmp_path: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linting, "HELD", len(PROGRAM) + 100)
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).write_text(PROGRAM.replace("Model", f"Model{name[0]}"))
    assert run(tmp_path, "--no-cache").count("FL201 [unsafe]") == 3
    assert counted == {"reads": 5, "parses": 3, "trees": 3, "walks": 3}


@pytest.mark.parametrize("cached", [True, False])
def test_fixes_parse_and_walk_once_more_for_each_round(tmp_path: Path, counted: Counter[str], cached: bool) -> None:
    (tmp_path / "m.py").write_text(PROGRAM)
    (tmp_path / "other.py").write_text(PROGRAM.replace("dropout=0.5, ", "").replace("out[-1]", "out.mean(1)"))
    output = run(
        tmp_path, "--fix", "--unsafe-fixes", *(["--cache-dir", str(tmp_path / "cache")] if cached else ["--no-cache"])
    )
    assert "2 fixed" in output
    assert "return out[:, -1]" in (tmp_path / "m.py").read_text()
    assert {each: counted[each] for each in ("parses", "trees", "walks")} == {"parses": 3, "trees": 3, "walks": 3}


def test_a_program_on_standard_input_is_parsed_once_for_each_round(counted: Counter[str]) -> None:
    result = CliRunner().invoke(lint, ["--no-cache", "--fix", "--unsafe-fixes", "-"], input=PROGRAM)
    assert "return out[:, -1]" in result.output
    assert {each: counted[each] for each in ("parses", "trees", "walks")} == {"parses": 2, "trees": 2, "walks": 2}


def test_a_file_that_imports_what_was_fixed_is_looked_at_again(tmp_path: Path, counted: Counter[str]) -> None:
    made = "import torch.nn as nn\nlayer = nn.LSTM(5, 6, num_layers=1, dropout=0.5)\n"
    (tmp_path / "made.py").write_text(made)
    (tmp_path / "used.py").write_text("import torch\nfrom made import layer\nlayer(torch.zeros(2, 3, 4))\n")
    assert "FL302" in run(tmp_path, "--no-cache", "--fix")
    assert counted["walks"] == 4


def test_an_editor_parses_each_version_once(counted: Counter[str]) -> None:
    buffer = Buffer(PROGRAM, 1, None)
    assert [each.code for each in buffer.findings] == ["FL310", "FL201"]
    assert buffer.good is buffer
    assert buffer.program is not None
    assert buffer.told(Place(11, 10)) is not None
    assert (counted["parses"], counted["trees"], counted["walks"]) == (1, 1, 1)


def test_shapes_that_a_program_reveals_take_no_walk_of_their_own(tmp_path: Path, counted: Counter[str]) -> None:
    told = PROGRAM.replace("return", "reveal_shape(out)\n        return")
    (tmp_path / "m.py").write_text(told)
    output = run(tmp_path, "--no-cache")
    assert "FL201" in output
    assert "FL903" in output
    assert counted == {"reads": 1, "parses": 1, "trees": 1, "walks": 1}
    buffer = Buffer(told, 1, None)
    assert [each.code for each in buffer.findings] == ["FL310", "FL903", "FL201"]
    assert buffer.program is not None
    assert (counted["parses"], counted["trees"], counted["walks"]) == (2, 2, 2)


def test_an_editor_and_a_program_that_reveals_shapes_find_the_same_as_any_other() -> None:
    for rule in load_rules():
        source = HEADER + "".join(case.code for case in (*rule.invalid, *rule.valid))
        assert Buffer(source, 1, None).findings == check_source(source, "untitled.py"), rule.code
