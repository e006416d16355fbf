"""Kinds of programs seen in public code, written anew: exactly what is marked is found."""

from __future__ import annotations

import pytest
from fastlstm_lint import check_source
from lint_values import KINDS


@pytest.mark.parametrize("name", KINDS)
def test_exactly_what_is_marked_is_found(name: str) -> None:
    source, marks = KINDS[name]
    assert {(finding.code, finding.start.row) for finding in check_source(source, "case.py")} == marks
