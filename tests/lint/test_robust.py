"""No text makes the linter fail."""

from __future__ import annotations

import random

import pytest
from fastlstm_lint import check_source
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER
from fastlstm_lint.sources import mentions_recurrent

PROGRAMS = [HEADER + case.code for rule in load_rules() for case in (*rule.invalid, *rule.valid)]
WORDS = ["x", "self", "None", "torch", "h_n", "0", "-1", "(x, x)", "[]", "*x", "x[:, -1]", "nn.LSTM(5, 6)", "..."]


def mutated(program: str, rng: random.Random) -> str:
    """The program with some of its words or lines exchanged."""
    lines = program.split("\n")
    for _ in range(rng.randint(1, 3)):
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        if rng.random() < 0.3:
            lines[i], lines[j] = lines[j], lines[i]
        else:
            words = lines[i].split(" ")
            at = rng.randrange(len(words))
            words[at] = rng.choice(WORDS) if words[at] else words[at]
            lines[i] = " ".join(words)
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_programs_give_findings_and_no_internal_error(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(250):
        program = mutated(rng.choice(PROGRAMS), rng)
        errors = [finding for finding in check_source(program, "case.py") if finding.code == "FL902"]
        assert not errors, f"{errors[0].message}\n{program}"


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


def test_a_program_nested_too_deeply_is_named_as_such() -> None:
    (finding,) = check_source("x = LSTM" + "()" * 400, "deep.py")
    assert (finding.code, finding.message) == ("FL902", "nested too deeply to be analysed")


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
