"""The pages for learners, English and Chinese, and the notebook: the code runs, the numbers are the contract's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from fastlstm_lint.contract import letters, sizes
from fastlstm_lint.explain import parse, parse_input
from fastlstm_lint.explain.drawing import GALLERY
from fastlstm_lint.explain.told import FORMS, shape_of

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"en": DOCS / "learn.md", "zh": DOCS / "learn.zh.md"}
TEXTS = {lang: path.read_text(encoding="utf-8") for lang, path in PAGES.items()}
NOTEBOOK = json.loads((DOCS / "learn.ipynb").read_text(encoding="utf-8"))
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def table(lang: str, first: str) -> list[list[str]]:
    """The rows of the table whose header begins with a word, the cells without their blanks."""
    lines = TEXTS[lang].splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_the_code_of_the_page_runs() -> None:
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    blocks = BLOCK.findall(TEXTS["en"])
    assert len(blocks) >= 8
    for number, block in enumerate(blocks):
        exec(compile(block, f"learn.md, block {number}", "exec"), found)


def test_both_pages_have_the_same_code_pictures_links_and_numbers() -> None:
    def links(text: str) -> list[str]:
        found = re.findall(r"\]\(([^)]+)\)", text)
        return sorted(link.replace(".zh.svg", ".en.svg") for link in found if not link.startswith("learn"))

    assert BLOCK.findall(TEXTS["en"]) == BLOCK.findall(TEXTS["zh"])
    assert links(TEXTS["en"]) == links(TEXTS["zh"])
    heads = {lang: re.findall(r"^##? .*$", text, re.MULTILINE) for lang, text in TEXTS.items()}
    assert len(heads["en"]) == len(heads["zh"])
    rows = {"en": table("en", "program"), "zh": table("zh", "程序")}
    assert [row[1:] for row in rows["en"]] == [row[1:] for row in rows["zh"]]
    assert [row[0][:2] for row in rows["en"]] == [row[0][:2] for row in rows["zh"]]


@pytest.mark.parametrize("lang", PAGES)
def test_every_link_of_a_page_leads_somewhere_and_every_picture_is_shown(lang: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXTS[lang])
    assert [link for link in links if "://" not in link and not (DOCS / link).exists()] == []
    shown = {link for link in links if link.startswith("pictures/")}
    assert shown == {f"pictures/{name}.{lang}.svg" for name in GALLERY}
    asked = {number for link in links if (number := link.rpartition("/issues/")[2]) != link}
    assert asked == {"4145", "19675", "33215", "50698", "175479"}


@pytest.mark.parametrize(("lang", "first"), [("en", "program"), ("zh", "程序")])
def test_the_programs_shapes_are_the_contracts(lang: str, first: str) -> None:
    rows = table(lang, first)
    assert {row[0][:2] for row in rows} == {f"P{k}" for k in range(1, 8)}
    for name, call, given, output, h_n, c_n, count in rows:
        layer = parse(call.strip("`"))
        T, B = parse_input(given, layer)
        assert str(sizes(layer.output(T, B))) == output, name
        assert str(sizes(layer.state("h", B))) == h_n, name
        assert (str(sizes(layer.state("c", B))) if layer.kind == "LSTM" else "-") == c_n, name
        assert str(layer.parameter_count()) == count, name


@pytest.mark.parametrize(("lang", "first"), [("en", "value"), ("zh", "值")])
def test_the_letters_of_the_axes_are_the_contracts(lang: str, first: str) -> None:
    rows = table(lang, first)
    assert len(rows) == 4
    for row in rows:
        for value in re.findall(r"\b(?:input|output|[hc]_[0n])\b", row[0]):
            for cell, form in zip(row[1:], ("plain", "batch_first", "both", "unbatched"), strict=True):
                layer, B, _ = FORMS[form]
                assert letters(shape_of(value, layer, "T", B)) == cell, (value, form)


def test_the_chinese_page_uses_the_terms_of_torchs_documentation() -> None:
    for term in (
        "批大小",
        "批量大小",
        "序列长度",
        "隐藏状态",
        "细胞状态",
        "时间步",
        "层数",
        "双向",
        "嵌入维度",
        "打包",
        "填充",
    ):
        assert term in TEXTS["zh"]


def test_the_notebook_runs_cell_by_cell_and_is_a_notebook() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    code = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [block.strip() for block in BLOCK.findall(TEXTS["en"])] == code[: len(BLOCK.findall(TEXTS["en"]))]
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    for number, source in enumerate(code):
        exec(compile(source, f"cell {number}", "exec"), found)
    assert all(cell["outputs"] == [] for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")
