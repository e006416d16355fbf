"""`fastlstm lint` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.rules import by_code
from fastlstm_lint.rules.base import HEADER

WRONG = HEADER + by_code()["FL310"].wrong
CLEAN = HEADER + by_code()["FL310"].right


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the working directory of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, text: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(lint, list(arguments), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_findings_give_exit_code_one_and_name_the_place(folder: Path) -> None:
    (folder / "model.py").write_text(WRONG)
    code, output = run("model.py")
    assert code == 1
    assert "model.py:8:21: FL310" in output
    assert "^^^" in output


def test_a_clean_folder_gives_exit_code_zero(folder: Path) -> None:
    (folder / "model.py").write_text(CLEAN)
    assert run(".")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.py",), "no such file"),
        (("--select", "XY1", "."), "no rule has the code"),
        (("--output-format", "yaml", "."), "yaml"),
        (("--config", "nowhere.toml", "."), "nowhere.toml"),
    ],
)
def test_misuse_gives_exit_code_two(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert message in output


def test_json_is_a_list_in_the_schema_of_ruff(folder: Path) -> None:
    (folder / "model.py").write_text(WRONG)
    code, output = run("--output-format", "json", "model.py")
    (finding,) = json.loads(output)
    assert code == 1
    assert finding["code"] == "FL310"
    assert finding["location"] == {"row": 8, "column": 21}
    assert finding["end_location"]["row"] == 8
    assert finding["fix"]["applicability"] == "safe"
    assert set(finding) >= {"code", "message", "filename", "location", "end_location", "fix", "url"}


def test_ignored_rules_are_silent_and_exit_zero_is_obeyed(folder: Path) -> None:
    (folder / "model.py").write_text(WRONG)
    assert run("--ignore", "FL310", "model.py")[0] == 0
    assert run("--select", "FL2", "model.py")[0] == 0
    assert run("--exit-zero", "model.py")[0] == 0


def test_an_unparsable_file_is_a_finding_and_the_others_go_on(folder: Path) -> None:
    (folder / "broken.py").write_text("nn.LSTM(\n")
    (folder / "bytes.py").write_bytes(b"LSTM = 1  # \xff\xfe\n")
    (folder / "model.py").write_text(WRONG)
    code, output = run(".")
    assert code == 1
    assert "broken.py" in output
    assert "bytes.py:1:1: FL901" in output
    assert "FL310" in output


def test_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, fastlstm_lint, fastlstm_lint.cli.lint\n"
        "print([name for name in ('numba', 'numpy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "settings", ["", '[tool.fastlstm.lint]\nselect = ["FL2"]\nper-file-ignores = {"a.py" = ["FL310"]}\n']
)
def test_the_interpreter_is_loaded_only_for_a_file_that_has_to_be_parsed(folder: Path, settings: str) -> None:
    (folder / "pyproject.toml").write_text(settings)
    (folder / "plain.py").write_text("x = 1\n")
    (folder / "model.py").write_text(WRONG)
    program = (
        "import sys\nfrom fastlstm_lint.cli.lint import lint\n"
        "try: lint(sys.argv[1:])\n"
        "except SystemExit: print('fastlstm_lint.interpreter.machine' in sys.modules, file=sys.stderr)"
    )

    def loaded(*paths: str) -> bool:
        command = [sys.executable, "-c", program, *paths]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return done.stderr.endswith("True\n")

    assert not loaded("plain.py")
    assert loaded("plain.py", "model.py")
    assert not loaded("plain.py", "model.py")  # kept since
