"""The rule pages are what the rule files say."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastlstm_lint.pages import pages, sentence, write

DOCS = Path(__file__).parents[2] / "docs" / "rules"


def test_the_pages_in_docs_are_current() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    assert found == pages(), "run: python -m fastlstm_lint.pages docs/rules"


def test_a_stale_page_is_removed(tmp_path: Path) -> None:
    (tmp_path / "FL999.md").write_text("gone")
    write(tmp_path)
    assert not (tmp_path / "FL999.md").exists()
    assert (tmp_path / "FL205.md").exists()


@pytest.mark.parametrize(
    ("summary", "due"),
    [
        ("a tensor that is split", "A tensor that is split."),
        ("output[-1] is the last sample", "output[-1] is the last sample."),
        ("h_n or c_n flattened", "h_n or c_n flattened."),
        ("out, h, c = lstm(x)", "out, h, c = lstm(x)."),
        ("CrossEntropyLoss gets probabilities", "CrossEntropyLoss gets probabilities."),
    ],
)
def test_code_keeps_its_small_letters(summary: str, due: str) -> None:
    assert sentence(summary) == due
