"""Each output format, read by what reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from click import unstyle
from fastlstm_lint import __version__, pages
from fastlstm_lint.config import Settings
from fastlstm_lint.finding import Edit, Finding, Fix, Place
from fastlstm_lint.report import FORMATS, statistics, summary
from fastlstm_lint.rules import by_code
from fastlstm_lint.rules.base import HEADER
from fastlstm_lint.run import Result, check_text

SOURCE = HEADER + by_code()["FL205"].wrong + by_code()["FL310"].wrong


@pytest.fixture(scope="module")
def result() -> Result:
    return check_text(SOURCE, "src/a b.py", Settings())


def test_text_shows_the_line_the_shapes_and_the_line_that_made_the_layer(result: Result) -> None:
    text = FORMATS["text"](result.findings, result.sources)
    assert "    8 |         self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)" in text
    assert "layer*direction=2" in text
    assert "made at line 8" in text
    rows = unstyle(text).splitlines()
    at = next(i for i, row in enumerate(rows) if row.startswith("   12 |"))
    line, mark = rows[at : at + 2]
    assert line[mark.index("^") :].startswith("h_n.view")


def test_github_escapes_what_its_syntax_uses(result: Result) -> None:
    first = FORMATS["github"](result.findings, result.sources).splitlines()[0]
    assert first.startswith("::error title=fastlstm FL205,file=src/a b.py,line=12,endLine=12,col=16,endColumn=")
    assert "%" not in first.replace("%25", "").replace("%0A", "")


def test_sarif_holds_rules_places_and_fixes(result: Result) -> None:
    (run,) = json.loads(FORMATS["sarif"](result.findings, result.sources))["runs"]
    first = run["results"][0]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"] == "FL205"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "src/a%20b.py"
    assert place["region"]["startLine"] == 12
    (change,) = first["fixes"][0]["artifactChanges"]
    assert "transpose(0, 1)" in change["replacements"][0]["insertedContent"]["text"]


def test_junit_counts_one_failure_per_finding_and_a_clean_run_passes(result: Result) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](result.findings, result.sources))
    assert int(root.attrib["failures"]) == len(root.findall(".//failure")) == len(result.findings)
    clean = ElementTree.fromstring(FORMATS["junit"]([], {}))
    assert (clean.attrib["tests"], clean.attrib["failures"]) == ("1", "0")


def test_statistics_count_by_code(result: Result) -> None:
    assert [line.split()[:2] for line in statistics(result.findings).splitlines()] == [["1", "FL205"], ["1", "FL310"]]


TEXT = "a = 1\n\tb = f(x,\n    y)\nc = 50\nd = 2\n"
FINDINGS = [
    Finding("FL310", "single-layer-dropout", "one", "p.py", Place(2, 6), Place(3, 7), made=4),
    Finding(
        "FL205", "state-flatten", "50% :,\nmore", "p.py", Place(4, 5), Place(4, 7),
        Fix("put", True, (Edit(Place(4, 5), Place(4, 7), "60"),)), made=1,
    ),
    Finding("FL205", "state-flatten", "again", "p.py", Place(5, 1), Place(5, 1), Fix("put", False, ()), made=4),
    Finding("FL903", "reveal-shape", "a note", "p.py", Place(1, 1), Place(1, 2)),
]  # fmt: skip


def test_text_as_a_whole() -> None:
    shown = unstyle(FORMATS["text"](FINDINGS, {"p.py": TEXT}))
    assert shown.splitlines() == [
        "p.py:2:6: FL310 one",
        "    2 |  b = f(x,",
        "      |      ^^^^",
        "  ... |",
        "    4 | c = 50",
        "      = help: fastlstm explain FL310",
        "p.py:4:5: FL205 [*] 50% :,\\nmore",
        "    1 | a = 1",
        "  ... |",
        "    4 | c = 50",
        "      |     ^^",
        "      = fix: put",
        "      = help: fastlstm explain FL205",
        "p.py:5:1: FL205 [unsafe] again",
        "    4 | c = 50",
        "    5 | d = 2",
        "      | ^",
        "      = fix: put",
        "      = help: fastlstm explain FL205",
        "p.py:1:1: FL903 a note",
        "    1 | a = 1",
        "      | ^",
    ]


def test_concise_is_a_line_for_each() -> None:
    assert unstyle(FORMATS["concise"](FINDINGS, {"p.py": TEXT})).splitlines() == [
        "p.py:2:6: FL310 one",
        "p.py:4:5: FL205 [*] 50% :,\\nmore",
        "p.py:5:1: FL205 [unsafe] again",
        "p.py:1:1: FL903 a note",
    ]


def test_gitlab_knows_a_finding_again_on_another_line() -> None:
    issues = json.loads(FORMATS["gitlab"](FINDINGS, {"p.py": TEXT}))
    assert [(each["check_name"], each["severity"], each["location"]["lines"]["begin"]) for each in issues] == [
        ("single-layer-dropout", "major", 2), ("state-flatten", "major", 4), ("state-flatten", "major", 5),
        ("reveal-shape", "info", 1),
    ]  # fmt: skip
    assert issues[1]["description"] == "FL205 50% :,\\nmore"
    prints = [each["fingerprint"] for each in issues]
    assert len(set(prints)) == 4
    lower = [replace(each, start=Place(each.start.row + 1, each.start.column)) for each in FINDINGS]
    moved = json.loads(FORMATS["gitlab"](lower, {"p.py": "\n" + TEXT}))
    assert [each["fingerprint"] for each in moved] == prints
    twice = json.loads(FORMATS["gitlab"](FINDINGS[:1] * 2, {"p.py": TEXT}))
    assert twice[0]["fingerprint"] != twice[1]["fingerprint"], "two alike are two"


ADVICE = Finding("FL801", "layer-in-a-loop", "slow", "p.py", Place(1, 1), Place(1, 2))


def test_every_format_tells_advice_from_what_is_wrong() -> None:
    def given(name: str) -> str:
        return FORMATS[name]([FINDINGS[0], ADVICE], {"p.py": TEXT})

    assert [each["level"] for each in json.loads(given("json"))] == ["warning", "advice"]
    assert [each["level"] for each in json.loads(given("sarif"))["runs"][0]["results"]] == ["warning", "note"]
    assert [each["severity"] for each in json.loads(given("gitlab"))] == ["major", "minor"]
    assert [line.split()[0] for line in given("github").splitlines()] == ["::error", "::notice"]
    assert ElementTree.fromstring(given("junit")).attrib["failures"] == "1"
    assert summary([FINDINGS[0], ADVICE]) == "1 finding, 1 piece of advice on speed"
    assert summary([ADVICE] * 2, " in 1 file") == "no findings in 1 file, 2 pieces of advice on speed"


def test_a_summary_counts_in_the_singular_and_leaves_out_what_is_not_there() -> None:
    assert summary([]) == "no findings"
    assert summary([], " in 3 files") == "no findings in 3 files"
    assert summary(FINDINGS[:1]) == "1 finding"
    assert summary(FINDINGS[3:] * 2) == "2 notes"
    several = summary([*FINDINGS[1:3], *FINDINGS[2:3]])
    assert several == "3 findings, 1 with a fix (--fix), 2 with a fix that changes results (--unsafe-fixes)"
    assert summary(FINDINGS, " in 1 file", True) == (
        "3 findings in 1 file, 1 note, 1 with a fix (--fix), 1 with a fix that changes results (--fix --unsafe-fixes)"
    )


def test_github_as_a_whole() -> None:
    assert FORMATS["github"](FINDINGS[1:2] + FINDINGS[3:], {}).splitlines() == [
        "::error title=fastlstm FL205,file=p.py,line=4,endLine=4,col=5,endColumn=7::p.py:4:5: FL205 50%25 :,%0Amore",
        "::notice title=fastlstm FL903,file=p.py,line=1,endLine=1,col=1,endColumn=2::p.py:1:1: FL903 a note",
    ]


def test_sarif_as_a_whole() -> None:
    data = json.loads(FORMATS["sarif"](FINDINGS[1:2] + FINDINGS[3:], {}))
    url = "https://fastlstm.github.io/fastlstm/"
    region = {"startLine": 4, "startColumn": 5, "endLine": 4, "endColumn": 7}
    place = {"artifactLocation": {"uri": "p.py"}}
    change = {**place, "replacements": [{"deletedRegion": region, "insertedContent": {"text": "60"}}]}
    ids = [{"id": "FL205", "name": "state-flatten"}, {"id": "FL903", "name": "reveal-shape"}]
    texts = [
        {"shortDescription": {"text": pages.summary(code)}, "fullDescription": {"text": pages.summary(code)},
         "help": {"text": pages.page(code), "markdown": pages.page(code)}, "helpUri": f"{url}rules/{code}/"}
        for code in ("FL205", "FL903")
    ]  # fmt: skip
    (run,) = data.pop("runs")
    assert data == {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0"}
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["tool"]["driver"] == {
        "name": "fastlstm lint",
        "version": __version__,
        "informationUri": url,
        "rules": [each | text for each, text in zip(ids, texts, strict=True)],
    }
    (mark,) = run["results"][0].pop("partialFingerprints").items()
    assert (mark[0], len(mark[1])) == ("fastlstm/v1", 64)
    assert mark[1] != run["results"][1]["partialFingerprints"]["fastlstm/v1"]
    assert run["results"][0] == {
        "ruleId": "FL205",
        "ruleIndex": 0,
        "level": "warning",
        "message": {"text": "50% :,\nmore"},
        "locations": [{"physicalLocation": {**place, "region": region}}],
        "fixes": [{"description": {"text": "put"}, "artifactChanges": [change]}],
    }
    assert (run["results"][1]["level"], run["results"][1]["ruleIndex"]) == ("note", 1)


def test_junit_as_a_whole() -> None:
    root = ElementTree.fromstring(FORMATS["junit"](FINDINGS, {}))
    assert (root.tag, root.attrib) == ("testsuites", {"name": "fastlstm lint", "tests": "3", "failures": "3"})
    (suite,) = root
    assert (suite.tag, suite.attrib) == ("testsuite", {"name": "p.py", "tests": "3", "failures": "3", "errors": "0"})
    case = suite[1]
    assert (case.tag, case.attrib) == ("testcase", {"name": "fastlstm.FL205", "classname": "p.py", "line": "4"})
    (failure,) = case
    assert (failure.tag, failure.attrib["type"], failure.text) == ("failure", "FL205", "p.py:4:5: 50% :,\nmore")
    (clean,) = ElementTree.fromstring(FORMATS["junit"]([], {}))
    assert clean.attrib == {"name": "fastlstm lint", "tests": "1", "failures": "0", "errors": "0"}
    assert [(each.tag, each.attrib["name"]) for each in clean] == [("testcase", "no findings")]


def test_json_is_ruff_s() -> None:
    text = FORMATS["json"](FINDINGS[1:3], {})
    first, second = json.loads(text)
    assert first == {
        "level": "warning",
        "code": "FL205",
        "message": "50% :,\nmore",
        "filename": "p.py",
        "location": {"row": 4, "column": 5},
        "end_location": {"row": 4, "column": 7},
        "cell": None,
        "fix": {
            "applicability": "safe",
            "message": "put",
            "edits": [
                {"content": "60", "location": {"row": 4, "column": 5}, "end_location": {"row": 4, "column": 7}},
            ],
        },
        "url": "https://fastlstm.github.io/fastlstm/rules/FL205/",
    }
    assert second["fix"]["applicability"] == "unsafe"
    assert json.loads(FORMATS["json"](FINDINGS[:1], {}))[0]["fix"] is None


def test_places_in_a_notebook_are_told_in_words() -> None:
    finding = Finding("FL901", "cannot-parse", "no\rgood", "a,b:c.ipynb", Place(2, 1), Place(2, 1), cell=3)
    assert FORMATS["github"]([finding], {}) == (
        "::error title=fastlstm FL901,file=a%2Cb%3Ac.ipynb::a,b:c.ipynb:cell 3:2:1: FL901 no%0Dgood"
    )
    (run,) = json.loads(FORMATS["sarif"]([finding], {}))["runs"]
    (result,) = run["results"]
    assert (result["level"], result["message"]["text"]) == ("error", "cell 3, line 2: no\rgood")
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_statistics_as_a_whole() -> None:
    assert statistics(FINDINGS).splitlines() == [
        "     2  FL205       1 fixable  state-flatten",
        "     1  FL310       0 fixable  single-layer-dropout",
        "     1  FL903       0 fixable  reveal-shape",
    ]
