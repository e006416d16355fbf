"""The pages in docs: what links to them finds them, here and on the site."""

from __future__ import annotations

import re
from pathlib import Path

import fastlstm_lint
import pytest
from fastlstm_lint.config import OWN_CODES
from fastlstm_lint.finding import SITE, page_of
from fastlstm_lint.rules import rule_codes

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("lint/*.md"), *ROOT.glob("benchmarks/*.md")])
LINTER = Path(fastlstm_lint.__file__).parent  # an sdist of fastlstm has no lint/
FILES = "https://github.com/fastlstm/fastlstm/blob/main/"
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def page_at(address: str) -> Path:
    """The file in docs that the site shows at an address."""
    place = address.removeprefix(SITE).partition("#")[0].strip("/")
    folder = DOCS / place
    return folder / ("index.md" if not place else "README.md") if folder.is_dir() else DOCS / f"{place}.md"


def anchors(page: Path) -> set[str]:
    """The names of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


def dead_links(page: Path, text: str) -> list[str]:
    """The links of a page to files or headings that are not there. Other hosts are not asked."""
    found = []
    for link in LINK.findall(FENCE.sub("", text)):
        place, _, anchor = link.partition("#")
        if place.startswith(SITE):
            target = page_at(place)
        elif place.startswith(FILES):
            target = ROOT / place.removeprefix(FILES)
        elif "://" in place or place.startswith("mailto:"):
            continue
        else:
            target = (page.parent / place).resolve() if place else page
        leads_out = DOCS in page.parents and "://" not in place and DOCS not in (target, *target.parents)
        if leads_out or not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_link_is_dead(page: Path) -> None:
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


def test_a_dead_link_is_found() -> None:
    page = DOCS / "lint.md"
    text = f"[0](../README.md) [00]({FILES}gone.py) "
    text += f"[a](gone.md) [b](#fixes) [c](#gone) [d]({SITE}rules/FL999/) [e]({SITE}rules/FL101/) [f](torch.md#gone)"
    assert dead_links(page, text) == [
        "../README.md",
        f"{FILES}gone.py",
        "gone.md",
        "#gone",
        f"{SITE}rules/FL999/",
        "torch.md#gone",
    ]


@pytest.mark.parametrize("code", [*rule_codes(), *OWN_CODES])
def test_every_code_that_is_printed_has_its_page(code: str) -> None:
    assert page_at(page_of(code)).read_text(encoding="utf-8").startswith(f"# {code} ")


def test_every_address_in_the_sources_is_a_page() -> None:
    sources = [*ROOT.glob("fastlstm/**/*.py"), *LINTER.rglob("*.py"), ROOT / "pyproject.toml"]
    addresses = {
        address
        for source in sources
        for address in re.findall(re.escape(SITE) + r"[\w./#-]*", source.read_text(encoding="utf-8"))
    }
    assert SITE + "editor/" in addresses
    assert [address for address in addresses if not page_at(address).exists()] == []


def test_the_site_is_where_the_tool_says_and_shows_every_page() -> None:
    told = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert f"site_url: {SITE}\n" in told
    shown = set(re.findall(r"([\w./]+\.md)$", told, re.MULTILINE))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert there - shown == {name for name in there if re.fullmatch(r"rules/FL\d+\.md", name)}
    assert shown <= there
