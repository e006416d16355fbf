"""What people type without having read a manual, and what they are answered (PEOPLE's list and ruff's habits)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fastlstm_lint.color import wanted
from fastlstm_lint.rules import rule_codes
from fastlstm_lint.rules.base import HEADER

from fastlstm.cli import main

PROGRAM = HEADER + "layer = nn.LSTM(5, 6, num_layers=1, dropout=0.5)\nout, (h_n, c_n) = layer(torch.zeros(3, 7, 5))\n"
BATCH_FIRST = PROGRAM.replace("num_layers=1, dropout=0.5", "batch_first=True") + "last = out[-1]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(PROGRAM)
    return tmp_path


def run(*words: str, **environment: str) -> Result:
    result = CliRunner().invoke(main, list(words), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("typed", "code", "answer"),
    [
        ("lnt m.py", 2, "Did you mean 'fastlstm lint'?"),
        ("lint-code m.py", 2, "Did you mean 'fastlstm lint'?"),
        ("check m.py", 2, "Did you mean 'fastlstm lint'?"),
        ("fix m.py", 2, "Did you mean 'fastlstm lint --fix'?"),
        ("rule FL205", 2, "Did you mean 'fastlstm explain'?"),
        ("why FL205", 2, "Did you mean 'fastlstm explain'?"),
        ("explian h_n", 2, "Did you mean 'fastlstm explain'?"),
        ("shape m.py", 2, "Did you mean 'fastlstm shapes'?"),
        ("benchmark", 2, "Did you mean 'fastlstm bench'?"),
        ("version", 2, "Did you mean 'fastlstm --version'?"),
        ("help", 2, "Did you mean 'fastlstm --help'?"),
        ("completion bash", 2, "Did you mean 'fastlstm --help'?"),
        ("qqqqq", 2, "No such command 'qqqqq'."),
        ("\x1b[2Jq", 2, r"No such command '\\x1b[2Jq'."),
        ("--help", 0, "_FASTLSTM_COMPLETE=bash_source"),
        ("-h", 0, "Commands:"),
        ("-V", 0, "fastlstm, version"),
        ("--version", 0, "fastlstm, version"),
        ("rules", 0, "FL205  [unsafe]     "),
        ("rules --json", 0, '"code": "FL205"'),
        ("lint", 1, "m.py:4:9: FL310 [*]"),
        ("lint .", 1, "1 finding in 1 file, 1 with a fix (--fix)"),
        ("lint m.py --format concise", 1, "m.py:4:9: FL310 [*]"),
        ("lint m.py --output-format=gitlab", 1, '"check_name": "single-layer-dropout"'),
        ("lint m.py --select fl3", 1, "FL310"),
        ("lint m.py --select single-layer-dropout", 1, "FL310"),
        ("lint m.py --select single_layer_dropout", 1, "FL310"),
        ("lint m.py --ignore Single-Layer-Dropout", 0, "no findings in 1 file"),
        ("lint m.py --select FL3IO", 2, "did you mean FL310?"),
        ("lint m.py --select single-layer-dropuot", 2, "did you mean single-layer-dropout?"),
        ("lint m.py --selct FL3", 2, "--select"),
        ("lint m.py -q --ignore FL3", 0, ""),
        ("lint m.py -o no/such/folder.txt", 2, "no/such/folder.txt: No such file or directory"),
        ("lint nowhere.py", 2, "no such file or folder: nowhere.py"),
        ("explain FL310", 0, "single-layer-dropout"),
        ("explain single-layer-dropout", 0, "FL310"),
        ("explain h_n", 0, "h_n is h after the last step"),
        ("explain LSTM", 0, "LSTM"),
        ("explain FL999", 2, "FL999"),
        ("explain nn.LSTM(5, 6) --input 3x4x5", 0, "(3, 4, 6)"),
        ("info --plan LSTM(5,6)", 2, "--input"),
        ("bench no-such-workload", 2, "no-such-workload"),
    ],
)
def test_what_is_typed_is_answered(folder: Path, typed: str, code: int, answer: str) -> None:
    words = typed.split() if "(" not in typed else [*typed.partition(" ")[:1], *_kept_together(typed)]
    result = run(*words)
    assert result.exit_code == code, result.output
    assert answer in result.output
    assert answer or not result.output


def _kept_together(typed: str) -> list[str]:
    """The words behind the first, a call as one of them."""
    rest = typed.partition(" ")[2]
    start = rest[: rest.index("(")].split()
    call = start.pop() + rest[rest.index("(") : rest.index(")") + 1]
    return [*start, call, *rest[rest.index(")") + 1 :].split()]


def test_every_rule_is_listed() -> None:
    assert [each["code"] for each in json.loads(run("rules", "--json").stdout)] == rule_codes()
    assert [line.split()[0] for line in run("rules").stdout.splitlines()] == rule_codes()


def test_only_fix_writes(folder: Path) -> None:
    (folder / "m.py").write_text(BATCH_FIRST)
    shown = run("lint", "--unsafe-fixes", "m.py")
    assert "FL201 [unsafe]" in shown.stdout
    assert "(--fix --unsafe-fixes)" in shown.stdout
    assert (folder / "m.py").read_text() == BATCH_FIRST
    assert "1 file with unsafe fixes not shown (--unsafe-fixes)" in run("lint", "--diff", "m.py").stderr
    assert "+last = out[:, -1]" in run("lint", "--diff", "--unsafe-fixes", "m.py").stdout
    assert (folder / "m.py").read_text() == BATCH_FIRST
    assert run("lint", "--fix", "--unsafe-fixes", "m.py").exit_code == 0
    assert (folder / "m.py").read_text().endswith("last = out[:, -1]\n")


def test_findings_go_into_a_file(folder: Path) -> None:
    result = run("lint", "m.py", "-o", "found.txt", FORCE_COLOR="1")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "1 finding in 1 file" in result.stderr
    assert (folder / "found.txt").read_text().startswith("m.py:4:9: FL310 [*] dropout=0.5")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("[tool.fastlstm]\nselect = ['FL2']", "[tool.fastlstm.select] means nothing here"),
        ("[tool.fastlstm.lnt]\nselect = ['FL2']", "[tool.fastlstm.lnt] means nothing here"),
        ("[tool.fastlstm-lint]\nselect = ['FL2']", "[tool.fastlstm-lint] means nothing here"),
        ("[tool.fastlstm_lint]\nselect = ['FL2']", "[tool.fastlstm_lint] means nothing here"),
        ("[tool.fastlstm.lint]\nextend_select = ['FL8']", "did you mean extend-select?"),
        ("[tool.fastlstm.lint]\nselect = ['FL2O1']", "did you mean FL201?"),
        ("[tool.fastlstm.lint]\nper-file-ignores = {'*.py' = ['nonsense']}", "'nonsense'"),
    ],
)
def test_a_slip_in_the_settings_is_told(folder: Path, table: str, told: str) -> None:
    (folder / "pyproject.toml").write_text(table)
    result = run("lint", ".")
    assert result.exit_code == 2
    assert told in result.output
    assert "pyproject.toml: " in result.output


@pytest.mark.parametrize("written", ["fl310", "single-layer-dropout", "FL3"])
def test_the_settings_name_rules_as_the_command_line_does(folder: Path, written: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.fastlstm.lint]\nignore = ['{written}']")
    assert run("lint", ".").exit_code == 0


@pytest.mark.parametrize(
    ("when", "environment", "due"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", {"TERM": "dumb"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_who_says_whether_there_are_colours(when: str, environment: dict[str, str], due: bool | None) -> None:
    assert wanted(when, environment) is due


def test_colours_reach_the_output(folder: Path) -> None:
    assert "\x1b[31mFL310" in run("lint", "m.py", FORCE_COLOR="1").stdout
    assert "\x1b[" not in run("lint", "m.py", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[31mFL310" in run("lint", "m.py", "--color", "always", NO_COLOR="1").stdout
