"""All fixes together: those of one rule do not feed another, and what they make is right when it runs."""

from __future__ import annotations

import lint_programs as programs
import pytest
import torch
from fastlstm_lint import check_source
from fastlstm_lint.config import Settings
from fastlstm_lint.finding import Finding
from fastlstm_lint.fixes import apply_fixes
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import Rule, Wrong
from torch_programs import program
from torch_programs.judge import run as run_program

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

ROUNDS = 3
"""Rounds of fixes after which nothing is left to fix: a fix may make room for another that wanted the same text."""


def cases(rule: Rule) -> list[Wrong]:
    proof = rule.example_proof or rule.invalid[0].proof
    return [Wrong(rule.wrong, proof, rule.example_input, fixed=rule.right), *rule.invalid]


FIXABLE = [
    pytest.param(rule, case, id=f"{rule.code}-{i}")
    for rule in load_rules()
    if rule.fixable
    for i, case in enumerate(cases(rule))
]


def all_fixed(source: str, settings: Settings | None = None) -> tuple[str, list[Finding]]:
    """A program after every fix of every rule, round by round, and the findings that they removed."""
    removed: list[Finding] = []
    for _ in range(ROUNDS):
        source, done = apply_fixes(source, check_source(source, "case.py", settings), unsafe=True)
        if not done:
            return source, removed
        removed += done
    left = [each for each in check_source(source, "case.py", settings) if each.fix is not None]
    assert not left, "fixes that do not come to an end"
    return source, removed


@pytest.mark.parametrize(("rule", "case"), FIXABLE)
def test_the_fixes_of_all_rules_leave_the_right_program(rule: Rule, case: Wrong) -> None:
    source = programs.text_of(case.code)
    before = {code for code, _ in programs.found_lines(source, rule.code)}
    text, removed = all_fixed(source, Settings(extend_select=(rule.code,)))
    if rule.code not in {finding.code for finding in removed}:
        return  # a case without a fix
    after = {code for code, _ in programs.found_lines(text, rule.code)}
    assert after <= before - {rule.code}
    programs.check_mended(text, case)


@pytest.mark.parametrize(("rule", "case"), FIXABLE)
def test_two_mistakes_in_one_file_are_mended_as_if_each_were_alone(rule: Rule, case: Wrong) -> None:
    other = programs.text_of(model_of_another(rule))
    alone, removed = all_fixed(other)
    assert removed
    body = programs.text_of(case.code).replace("class Model(", "class Other(")
    both, _ = all_fixed(body + other.partition("\n\nclass ")[1] + other.partition("\n\nclass ")[2])
    assert both.endswith(alone.partition("\n\nclass ")[2])


def model_of_another(rule: Rule) -> str:
    """The example of FL201, or of FL205 beside FL201 itself."""
    code = "FL205" if rule.code == "FL201" else "FL201"
    return next(each.wrong for each in load_rules() if each.code == code)


def test_a_fix_of_a_random_program_takes_it_further_under_torch() -> None:
    """What torch refused at the fixed line it takes, and the linter says nothing new in front of what is left."""
    seen = 0
    torch.set_num_threads(1)
    for seed in range(FIRST, FIRST + PROGRAMS):
        source = program(seed)
        text, removed = all_fixed(source)
        if not removed:
            continue
        seen += 1
        line, again = run_program(source)[0], run_program(text)[0]
        left = check_source(text, "case.py")
        # Torch goes further, or stops at another mistake of the same line, which is a finding still.
        assert again is None or line is None or again > line or again in {each.start.row for each in left}, (seed, text)
        new = {each.code for each in left} - {each.code for each in check_source(source, "case.py")}
        assert all(code.startswith("FL7") for code in new), (seed, new)
    assert seen >= PROGRAMS // 40, seen


FIRST, PROGRAMS = 730_000, 400
