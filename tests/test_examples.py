"""Every program in docs/examples runs; each asserts its own shapes and values. A warning is an error here too."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "docs" / "examples").glob("p*.py"))


def test_no_program_is_missing() -> None:
    assert {path.name[:2] for path in EXAMPLES} >= {f"p{k}" for k in range(1, 8)}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, python) -> None:  # type: ignore[no-untyped-def]
    done = python("-W", "error", str(path), timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
