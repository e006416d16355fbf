"""The README's finding is what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastlstm_lint.cli.lint import lint

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_finding_is_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8").split("**A finding.**")[1]
    program, told = re.findall(r"```(?:python)?\n(.*?)```", text, re.S)[:2]
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(program, encoding="utf-8")
    done = CliRunner().invoke(lint, ["train.py", "--no-cache"])
    assert done.exit_code == 1
    assert done.output.split() == told.split()  # the page breaks the first line
