"""The code in docs/cells.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fastlstm.layers.places import PLACES
from fastlstm.reference import Reference

PAGE = Path(__file__).parents[2] / "docs" / "cells.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_block_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the reference: what the kernels compute is compared with it elsewhere, and nothing is compiled here."""
    monkeypatch.setattr(type(PLACES["cpu"]), "engine", lambda self, config, dtype: Reference(config, dtype))
    found: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS):
        if block.startswith("spike = "):  # a line of a step, in which m is given
            step = f"def spiking(m, gate):\n    {block}    return spike(gate.a)\n"
            exec(f"@fastlstm.cell(gates='a', states='h')\n{step}", found)
        else:
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), found)
        if number == 0:
            assert found["output"].shape == (7, 3, 12)
    assert found["c"].shape == (7, 3, 8)
    assert found["m_n"].shape == (1, 3, 8)
    assert float(found["fast"](found["torch"].ones(2, 1, 5))[0].detach().abs().max()) > 0.01
