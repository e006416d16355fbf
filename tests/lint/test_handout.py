"""`fastlstm report`: a folder as one HTML file, in which a stranger's text is text and nothing is fetched or run."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fastlstm_lint.cli import main

MODEL = """import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)

    def forward(self, x):
        out, _ = self.lstm(x)
        return out[-1]
"""
EVIL = """</td></table></style><script>alert(1)</script><img src=x onerror='x'>&lt;"'`"""


class Read(HTMLParser):
    """Tags with their attributes, the text between them, and the cells of the table of code by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    return tmp_path


def report(*words: str) -> Result:
    result = CliRunner().invoke(main, ["report", "-o", "report.html", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def page() -> tuple[str, Read]:
    text = Path("report.html").read_text(encoding="utf-8")
    return text, Read(text)


def test_code_shapes_findings_and_the_rule_are_in_one_file(folder: Path) -> None:
    (folder / "src" / "model.py").write_text(MODEL)
    (folder / "src" / "other.py").write_text("x = 1\n")
    done = report("src")
    assert (done.exit_code, done.output) == (0, "report.html: 1 file\n")
    text, read = page()
    assert "1 finding in 1 file with tensors." in read.text
    for said in (
        "out: (B batch, T time, 6 feature)",
        "FL201 out[-1] is the last sample of the batch",
        "Fix: Take the last time step: out[:, -1]",
        "FL201 last-sample-not-last-step",
        "With `batch_first=True` the output is (batch, time, features).",
    ):
        assert said in read.text, said
    assert "<mark>out[-1]</mark>" in text
    assert "other.py" not in text
    assert [tag for tag, _ in read.tags if tag in ("script", "link", "iframe", "object", "base", "form")] == []
    [policy] = [given["content"] for tag, given in read.tags if tag == "meta" and "http-equiv" in given]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_what_is_hostile_stays_text(folder: Path) -> None:
    name = "a <b onload=x> '\".py"
    comment = f"# {EVIL}\u202e\x1b[2J"
    code = MODEL.replace("out[-1]", f"out[-1]  {comment}")
    (folder / "src" / name).write_text(f'{code}\n{comment}\ntitle = "{EVIL!r}"\n')
    (folder / "proof <x>.txt").write_text(EVIL)
    (folder / "proof.svg").write_text(f"<svg>{EVIL}</svg>")
    assert report("src", "--title", EVIL, "--proof", "proof <x>.txt", "--proof", "proof.svg").exit_code == 0
    text, read = page()
    assert read.text.count(EVIL) >= 4
    assert name in read.text
    tags = {tag for tag, _ in read.tags}
    assert not tags & {"script", "b", "svg", "iframe"}
    assert not [given for _, given in read.tags if any(key.startswith("on") for key in given)]
    assert all(str(given["src"]).startswith("data:image/svg+xml;base64,") for tag, given in read.tags if tag == "img")
    assert sum(tag == "table" for tag, _ in read.tags) == sum(text.count(f"</{tag}>") for tag in ["table"])
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "\\u202e" in text


def test_a_notebook_is_shown_cell_by_cell(folder: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# text", "metadata": {}},
        {"cell_type": "code", "source": "import torch\nlstm = torch.nn.LSTM(5, 6, batch_first=True)", "metadata": {}},
        {"cell_type": "code", "source": "out, _ = lstm(torch.zeros(3, 7, 5))\nlast = out[-1]", "metadata": {}},
    ]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "src" / "book.ipynb").write_text(json.dumps(book))
    assert report().exit_code == 0
    text, read = page()
    assert "cell 3" in read.text
    assert "cell 1" not in read.text
    assert "out: (3 batch, 7 time, 6 feature)" in read.text
    assert "<mark>out[-1]</mark>" in text


def test_what_cannot_be_parsed_or_read_is_named(folder: Path) -> None:
    (folder / "broken.py").write_text("import torch\nlstm = torch.nn.LSTM(5, 6\nx = <b>\n")
    (folder / "binary.py").write_bytes(b"# coding: utf-8\nimport torch\n\xff\xfe")
    (folder / "book.ipynb").write_text("torch {")
    assert report("broken.py", "binary.py", "book.ipynb").exit_code == 0
    _, read = page()
    assert "FL901 cannot be parsed" in read.text
    assert "x = <b>" in read.text
    assert "cannot be decoded" in read.text
    assert "book.ipynb" in read.text


def test_misuse_is_told(folder: Path) -> None:
    assert "no such file or folder: nowhere" in report("nowhere").output
    assert report("nowhere").exit_code == 2
    assert CliRunner().invoke(main, ["report"]).exit_code == 2
    (folder / "pyproject.toml").write_text("[tool.fastlstm.lint]\nselct = []\n")
    assert report().exit_code == 2
    (folder / "pyproject.toml").unlink()
    assert CliRunner().invoke(main, ["report", "-o", "no/such.html"]).exit_code == 1


def test_of_an_empty_folder_there_is_a_page(folder: Path) -> None:
    assert report("src").exit_code == 0
    assert "0 findings in 0 files with tensors." in page()[1].text
