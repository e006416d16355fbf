"""Each output format, read by what reads it."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from click import unstyle
from fastlstm_lint.config import Settings
from fastlstm_lint.report import FORMATS, statistics
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
