"""SARIF 2.1.0, with the fixes: what code scanning services and editors read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..finding import SITE, Finding, Place, page_of
from ..pages import page, summary
from .fingerprint import fingerprints

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    rules = {finding.code: finding.name for finding in sorted(findings, key=lambda finding: finding.code)}
    driver = {
        "name": "fastlstm lint",
        "version": __version__,
        "informationUri": SITE,
        "rules": [_rule(code, name) for code, name in rules.items()],
    }
    order = list(rules)
    marks = fingerprints(findings, sources)
    run = {
        "tool": {"driver": driver},
        # Columns are counted in code points, as Python does.
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, order.index(finding.code), mark) for finding, mark in zip(findings, marks, strict=True)
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(code: str, name: str) -> dict[str, Any]:
    """What stands above an alert: the rule in a sentence, and its page."""
    text = {"text": summary(code)}
    return {
        "id": code,
        "name": name,
        "shortDescription": text,
        "fullDescription": text,
        "help": {"text": page(code), "markdown": page(code)},
        "helpUri": page_of(code),
    }


def _result(finding: Finding, index: int, fingerprint: str) -> dict[str, Any]:
    cell = "" if finding.cell is None else f"cell {finding.cell}, line {finding.start.row}: "
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.path)}}
    # The rows of a cell are not those of the notebook's file, so a notebook has neither a region nor replacements.
    if finding.cell is None:
        place["region"] = _region(finding.start, finding.end)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _level(finding),
        "message": {"text": cell + finding.message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"fastlstm/v1": fingerprint},
    }
    if finding.fix is not None and finding.cell is None:
        replacements = [
            {"deletedRegion": _region(edit.start, edit.end), "insertedContent": {"text": edit.content}}
            for edit in finding.fix.edits
        ]
        change = {"artifactLocation": {"uri": _uri(finding.path)}, "replacements": replacements}
        result["fixes"] = [{"description": {"text": finding.fix.message}, "artifactChanges": [change]}]
    return result


def _level(finding: Finding) -> str:
    return "note" if finding.level == "advice" else finding.level


def _region(start: Place, end: Place) -> dict[str, int]:
    return {"startLine": start.row, "startColumn": start.column, "endLine": end.row, "endColumn": end.column}


def _uri(path: str) -> str:
    whole = Path(path)
    return whole.as_uri() if whole.is_absolute() else quote(os.fsencode(whole.as_posix()))
