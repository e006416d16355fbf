"""The rule pages are what the rule files say."""

from __future__ import annotations

from pathlib import Path

from fastlstm_lint.pages import pages, write

DOCS = Path(__file__).parents[2] / "docs" / "rules"


def test_the_pages_in_docs_are_current() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    assert found == pages(), "run: python -m fastlstm_lint.pages docs/rules"


def test_a_stale_page_is_removed(tmp_path: Path) -> None:
    (tmp_path / "FL999.md").write_text("gone")
    write(tmp_path)
    assert not (tmp_path / "FL999.md").exists()
    assert (tmp_path / "FL205.md").exists()
