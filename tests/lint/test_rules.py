"""Every case of every rule file, linted and run."""

from __future__ import annotations

import warnings
from pathlib import Path

import lint_programs as programs
import pytest
from fastlstm_lint import check_source, engine, rules
from fastlstm_lint.config import Settings
from fastlstm_lint.fixes import apply_fixes
from fastlstm_lint.records import replace
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import Right, Rule, Wrong

RULES = load_rules()

# torch says so of every LSTM with proj_size on a CPU; the linter's cases are not about speed.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def wrong_cases(rule: Rule) -> list[Wrong]:
    proof = rule.example_proof or rule.invalid[0].proof
    return [Wrong(rule.wrong, proof, rule.example_input, fixed=rule.right), *rule.invalid]


WRONG = [pytest.param(rule, case, id=f"{rule.code}-{i}") for rule in RULES for i, case in enumerate(wrong_cases(rule))]
RIGHT = [
    pytest.param(rule, case, id=f"{rule.code}-{i}")
    for rule in RULES
    for i, case in enumerate([Right(rule.right, rule.example_input), *rule.valid])
]


@pytest.mark.parametrize(("rule", "case"), WRONG)
def test_a_wrong_program_is_reported_at_its_marks_and_nowhere_else(rule: Rule, case: Wrong) -> None:
    source = programs.text_of(case.code)
    assert programs.found_lines(source, rule.code) == programs.expected_lines(case.code)
    assert rule.code in {code for code, _ in programs.expected_lines(case.code)}


@pytest.mark.parametrize(("rule", "case"), RIGHT)
def test_a_right_program_is_silent_and_runs(rule: Rule, case: Right) -> None:
    source = programs.text_of(case.code)
    assert programs.found_lines(source, rule.code) == set()
    x, _ = programs.make_input(case.input)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="LSTM with projections")
        programs.run(programs.build(source), x)


def fixed_text(source: str, code: str) -> str | None:
    """The program after the fixes of one rule; None where it has none."""
    findings = check_source(source, "case.py", Settings(select=(code,)))
    text, done = apply_fixes(source, findings, unsafe=True)
    return text if done else None


@pytest.mark.parametrize(("rule", "case"), WRONG)
def test_a_wrong_program_is_wrong_when_it_runs(rule: Rule, case: Wrong) -> None:
    source = programs.text_of(case.code)
    x, batch = programs.make_input(case.input)
    if case.proof == "crash":
        with pytest.raises(programs.ERRORS):
            programs.run(programs.build(source), x)
    elif case.proof == "warns":
        with pytest.warns(UserWarning, match="dropout|softmax|size"):
            programs.run(programs.build(source), x)
    elif case.proof == "mixes":
        assert programs.mixes(programs.build(source), x, batch)
    elif case.proof == "slow":
        assert case.fixed is not None
        model, better = programs.build(source), programs.build(programs.text_of(case.fixed))
        assert not programs.differs(model, better, x)
        assert programs.calls_of_torch(model, x) > programs.calls_of_torch(better, x)
    elif case.proof == "same":
        fixed = fixed_text(source, rule.code)
        assert fixed is not None
        assert not programs.differs(programs.build(source), programs.build(fixed), x)
    else:
        right = programs.text_of(case.fixed) if case.fixed is not None else fixed_text(source, rule.code)
        assert right is not None, "a case with the proof 'differs' needs a fix or a fixed program"
        assert programs.differs(programs.build(source), programs.build(right), x)


@pytest.mark.parametrize(("rule", "case"), WRONG)
def test_a_fix_removes_the_finding_and_the_program_runs(rule: Rule, case: Wrong) -> None:
    source = programs.text_of(case.code)
    text = fixed_text(source, rule.code)
    if text is None:
        return
    assert rule.fixable
    before, after = ({code for code, _ in programs.found_lines(each, rule.code)} for each in (source, text))
    assert after <= before - {rule.code}
    programs.check_mended(text, case)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in RULES])
def test_a_rule_that_says_it_can_fix_fixes_its_example(rule: Rule) -> None:
    text = fixed_text(programs.text_of(rule.wrong), rule.code)
    assert (text is not None) == bool(rule.fixable)
    assert bool(rule.fixable) != bool(rule.unfixable), "a fix, or the reason why there is none"


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in RULES])
def test_the_applicability_of_a_fix_is_what_the_rule_says(rule: Rule) -> None:
    for case in wrong_cases(rule):
        for finding in check_source(programs.text_of(case.code), "case.py", Settings(select=(rule.code,))):
            if finding.fix is not None:
                assert ("safe" if finding.fix.safe else "unsafe") == rule.fixable


def test_codes_and_names_are_unique_and_match_the_files() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.code for rule in RULES] == sorted(rule.code for rule in RULES)
    files = sorted(path.stem for path in Path(rules.__file__).parent.glob("fl*.py"))
    assert files == [f"{rule.code.lower()}_{rule.name.replace('-', '_')}" for rule in RULES]


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in RULES])
def test_the_tests_above_fail_for_a_right_program_and_for_a_rule_that_sees_nothing(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = wrong_cases(rule)[0]
    right = replace(case, code=rule.right, fixed=rule.right)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_a_wrong_program_is_wrong_when_it_runs(rule, right)
    with pytest.raises(AssertionError):
        test_a_right_program_is_silent_and_runs(rule, Right(case.code, case.input))
    if rule.fixable:
        other = case.code.replace("(5, 6", "(5, 7") if case.proof == "same" else case.code
        harmful = replace(case, fixed=other)
        with pytest.raises((AssertionError, *programs.ERRORS, UserWarning)):
            test_a_fix_removes_the_finding_and_the_program_runs(rule, harmful)
    monkeypatch.setattr(rule, "checks", [])
    monkeypatch.setattr(engine, "_checks", engine._checks.__wrapped__)
    with pytest.raises(AssertionError):
        test_a_wrong_program_is_reported_at_its_marks_and_nowhere_else(rule, case)


def test_a_fix_of_several_lines_keeps_the_indentation_of_its_statement() -> None:
    call = "nn.GRU(\n            5,\n            hidden_size=6,\n            dropout=0.3,\n        )"
    text = f"class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.gru = {call}\n"
    assert fixed_text(programs.HEADER + text, "FL310") == programs.HEADER + text.replace(
        "            dropout=0.3,\n", ""
    )
