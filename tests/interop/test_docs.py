"""The code in docs/interop.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "interop.md"


def test_the_page_s_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    found: dict[str, Any] = {}
    exec(compile("\n".join(blocks[:2]), str(PAGE), "exec"), found)
    assert {name: repr(layer) for name, layer in found["layers"].items()} == {
        "layer_0": "LSTM(5, 6)",
        "layer_1": "LSTM(6, 6)",
    }
    assert repr(found["again"]) == "LSTM(5, 6, num_layers=2)"
    exec(compile(blocks[2], str(PAGE), "exec"), found)
    assert [value.shape for value in found["weights"]] == [(5, 24), (6, 24), (24,)]
