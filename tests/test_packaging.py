"""The wheel: both packages, the licence, the data files, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import fastlstm

ROOT = Path(__file__).parent.parent
PACKAGES = {"fastlstm": ROOT / "fastlstm", "fastlstm_lint": ROOT / "lint" / "fastlstm_lint"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from this tree with the hatchling installed here: no network is asked."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [path] = folder.iterdir()
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    [path] = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_it_holds_both_packages_whole(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".nbi", ".nbc"} and "_cache" not in str(path.parent)
    }
    assert inside == wanted


def test_it_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"fastlstm", "fastlstm_lint", f"fastlstm-{fastlstm.__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if name.endswith((".pyc", ".nbi", ".nbc", ".ipynb", ".png"))]


def test_its_metadata(wheel: zipfile.ZipFile) -> None:
    told = Parser().parsestr(metadata(wheel, "METADATA"))
    assert told["Version"] == fastlstm.__version__
    assert told["Requires-Python"] == ">=3.11"
    assert told["License-Expression"] == "MIT"
    needed = {line.split(";")[0].split(">")[0] for line in told.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert needed == {"numba", "numpy", "click", "pathspec", "safetensors"}
    assert "fastlstm = fastlstm.cli:main" in metadata(wheel, "entry_points.txt")
    assert "MIT License" in wheel.read(f"fastlstm-{fastlstm.__version__}.dist-info/licenses/LICENSE").decode()


def test_it_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked and alone on the path, it is what is imported, and the command works: no file was forgotten."""
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import fastlstm, fastlstm_lint; "
        "print(fastlstm.__file__, fastlstm_lint.__file__); "
        "from fastlstm.cli import main; main(['explain', 'LSTM(5, 6)'])"
    )
    # -P and the extra path entry: the editable install must not answer for the wheel
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(str(tmp_path)) == 2
    assert "LSTM(5, 6): 312 parameters" in done.stdout
