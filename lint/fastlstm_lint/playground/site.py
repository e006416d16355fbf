"""The page without a server, for a site: `python -m fastlstm_lint.playground.site FOLDER WHEEL...`.

The linter then runs in the browser, in Pyodide, whose own files (pyodide.mjs, pyodide.asm.*, python_stdlib.zip,
pyodide-lock.json) belong into FOLDER/pyodide. The wheels are this package's, click's and pathspec's.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .server import page_files

ASK, IN_THE_BROWSER = "ask.js", "pyodide.js"


def write(folder: Path, wheels: Sequence[Path]) -> None:
    """The page's files, the wheels, and a list of these."""
    folder.mkdir(parents=True, exist_ok=True)
    page = page_files()
    page[ASK] = page.pop(IN_THE_BROWSER)
    del page[""]
    for name, content in page.items():
        (folder / name).write_bytes(content)
    for wheel in wheels:
        shutil.copyfile(wheel, folder / wheel.name)
    (folder / "wheels.json").write_text(json.dumps([wheel.name for wheel in wheels]), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]])
