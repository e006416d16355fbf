"""Every program in docs/examples runs; each asserts its own shapes and values. A warning is an error here too."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "examples"
# distributed.py runs in tests/interop, on two processes.
EXAMPLES = [path for path in sorted(FOLDER.rglob("*.py")) if path.name != "distributed.py"]


def test_no_program_is_missing() -> None:
    assert {path.name[:2] for path in FOLDER.glob("p*.py")} == {f"p{k}" for k in range(1, 8)}
    assert {path.name for path in FOLDER.glob("torch/*.py")} >= {
        "character_model.py",
        "image_rows.py",
        "distributed.py",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, python) -> None:  # type: ignore[no-untyped-def]
    done = python("-W", "error", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
