"""The digest that keys compiled kernels on disk, in a package without sources."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import fastlstm
from fastlstm.kernels import jit

PROGRAM = "import fastlstm; from fastlstm.kernels.jit import digest; print(fastlstm.__file__, digest())"


def test_without_sources_the_version_stands_for_them(python, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """In a zip, as in a frozen program, there are no files to read: two versions have two digests all the same."""
    folder, found = Path(fastlstm.__file__).parent, set()
    for version in ("1.0.0", "1.0.1"):
        archive = tmp_path / f"{version}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in folder.rglob("*.py"):
                text = path.read_text(encoding="utf-8")
                if path == folder / "__init__.py":
                    text = text.replace(fastlstm.__version__, version)
                file.writestr(str(path.relative_to(folder.parent)), text)
        done = python("-P", "-c", PROGRAM, env=os.environ | {"PYTHONPATH": str(archive)})
        assert done.stdout.startswith(str(archive)), done.stderr
        found.add(done.stdout.split()[1])
    assert len(found - {jit.digest()}) == 2
