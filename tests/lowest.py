"""An environment with the lowest versions that both projects admit: `python tests/lowest.py FOLDER` (make test-lowest).

Every `name>=version` of the requirements becomes `name==version`. Those of the tests are as they come.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ["pytest", "pytest-timeout", "hatchling", "hypothesis"]


def requirements() -> list[str]:
    """What a bare installation needs, and the language server, at the lowest versions."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linter = tomllib.loads((ROOT / "lint" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [
        *ours["tool"]["hatch"]["metadata"]["hooks"]["custom"]["dependencies"],
        *linter["dependencies"],
        *linter["optional-dependencies"]["lsp"],
    ]
    return sorted({re.sub(r">=([\d.]+)$", r"==\1", each) for each in named})


def main(folder: Path) -> None:
    if not (folder / "bin").exists():
        venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install"]
    subprocess.run([*pip, *requirements(), *TESTS], check=True)
    subprocess.run([*pip, "--no-deps", "-e", str(ROOT)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
