"""No text makes the linter fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from fastlstm_lint import check_source
from fastlstm_lint.sources import mentions_recurrent

spec = importlib.util.spec_from_file_location("lint_mutants", Path(__file__).with_name("mutants.py"))
assert spec is not None
assert spec.loader is not None
mutants = importlib.util.module_from_spec(spec)
sys.modules["lint_mutants"] = mutants
spec.loader.exec_module(mutants)


def test_mutants_are_mostly_programs() -> None:
    parsed = sum(mutants.parsed(mutants.mutant(seed)) is not None for seed in range(100))
    assert 60 < parsed < 95


def test_a_failure_and_a_long_time_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastlstm_lint.engine.collect", None)
    assert mutants.complaint("import torch.nn as nn\nnn.LSTM(5, 6)\n") is not None
    with pytest.raises(mutants.TooSlow), mutants.limited(0.05):
        any(number < 0 for number in range(10**9))


# All 10,000 by `python tests/lint/mutants.py`.
@pytest.mark.parametrize("hundred", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 20))])
def test_mutants_give_findings_and_no_internal_error(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        program = mutants.mutant(seed)
        with mutants.limited(mutants.SECONDS):
            message = mutants.complaint(program)
        assert message is None, f"seed {seed}: {message}\n{program}"


@pytest.mark.parametrize(
    "text",
    [
        "LSTM\x00",
        "def f(:\n    LSTM\n",
        "\ufeffimport LSTM\n",
        "LSTM = " + "(" * 50 + ")" * 50,
        "LSTM\r\nx = 1\r",
        "def f(x):\n    return f(f(x))\nf(f)\nLSTM = 0\n",
        "class Encoder:\n    def __init__(self, encoder): self.lstm = encoder\n    def forward(self): return LSTM\n",
        "class First:\n    def __init__(self, second): pass\n    def forward(self): return LSTM\n"
        "class Second:\n    def __init__(self, first): pass\n    def forward(self): pass\n",
        "class A(A):\n    lstm = A()\n    def forward(self): return self.forward()\nLSTM = A()()\n",
    ],
)
def test_odd_texts_are_survived(text: str) -> None:
    assert all(finding.code != "FL902" for finding in check_source(text, "odd.py"))


def test_a_program_nested_too_deeply_for_python_is_named_as_such() -> None:
    (finding,) = check_source("x = LSTM\ny = " + "(" * 20_000 + ")" * 20_000, "deep.py")
    assert (finding.code, finding.message) == ("FL901", "cannot be parsed: too many nested parentheses")
    assert finding.start.row == 2


def test_a_failure_of_a_rule_is_a_finding_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("fastlstm_lint.engine.place", broken)
    findings = check_source("import torch.nn as nn\nnn.LSTM(5, 6, dropout=0.5)\n", "case.py")
    assert [finding.code for finding in findings] == ["FL902"]


def test_nothing_of_the_program_is_executed() -> None:
    program = "import torch.nn as nn\nraise SystemExit(open('/nowhere'))\nnn.LSTM(1, 1)\n"
    assert check_source(program, "case.py") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"nn.LSTM", True),
        (b"x = 1\nLSTM = 1\n", True),
        (b"# LSTM\nx = 1  # GRU, RNN\n", False),
        (b"# LSTM\nself.rnn = GRU()\n", True),
        (b'"# LSTM"', True),
        (b"lstm", False),
    ],
)
def test_only_files_that_name_a_layer_outside_comments_are_parsed(text: bytes, expected: bool) -> None:
    assert mentions_recurrent(text) is expected
