"""What is published, and what a checkout is installed as: packages, licence, dependencies, data files, no more."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from fastlstm_lint.finding import SITE

import fastlstm

ROOT = Path(__file__).parent.parent
LINT = ROOT / "lint"
PACKAGES = {"fastlstm": ROOT / "fastlstm", "fastlstm_lint": LINT / "fastlstm_lint"}
VERSION = fastlstm.__version__

pytestmark = pytest.mark.skipif(not LINT.is_dir(), reason="an sdist's tests: what it was made from is not here")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(what: str, project: Path, into: Path) -> Path:
    """An sdist or wheel of a project, made with the hatchling installed here: no network is asked."""
    run("-m", "hatchling", "build", "-t", what, "-d", into, cwd=project)
    [path] = into.glob("*.whl" if what == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fastlstm's sdist, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built("sdist", ROOT, folder)) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"fastlstm-{VERSION}"


@pytest.fixture(scope="module")
def published(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """fastlstm's wheel, made from its sdist."""
    return zipfile.ZipFile(built("wheel", sdist, tmp_path_factory.mktemp("published")))


@pytest.fixture(scope="module")
def linter(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The linter's wheel."""
    return zipfile.ZipFile(built("wheel", LINT, tmp_path_factory.mktemp("linter")))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """What `pip install .` makes of a checkout."""
    return zipfile.ZipFile(built("wheel", ROOT, tmp_path_factory.mktemp("checkout")))


def text(wheel: zipfile.ZipFile, name: str) -> str:
    [path] = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(text(wheel, "METADATA"))


def needs(wheel: zipfile.ZipFile) -> set[str]:
    """The names of what it requires without extras; with the version where one is pinned."""
    lines = [line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line]
    return {re.sub(r">=.*", "", line) for line in lines}


def files(*names: str) -> set[str]:
    """Every file of some packages in this tree."""
    return {
        f"{name}/{path.relative_to(PACKAGES[name]).as_posix()}"
        for name in names
        for path in PACKAGES[name].rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".nbi", ".nbc"} and "_cache" not in str(path.parent)
    }


def inside(wheel: zipfile.ZipFile) -> set[str]:
    """Every file of a wheel but for its metadata."""
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_each_published_wheel_holds_its_package_whole_and_nothing_else(
    published: zipfile.ZipFile, linter: zipfile.ZipFile
) -> None:
    assert inside(published) == files("fastlstm")
    assert inside(linter) == files("fastlstm_lint")
    for wheel in (published, linter):
        assert not [name for name in inside(wheel) if name.endswith((".ipynb", ".png"))]
        assert [name for name in inside(wheel) if name.endswith("/py.typed")]
        assert "MIT License" in text(wheel, "licenses/LICENSE")


def test_what_is_published_requires_the_linter_of_its_own_version(
    published: zipfile.ZipFile, linter: zipfile.ZipFile
) -> None:
    wanted = {"numba", "numpy", "click", "pathspec", "safetensors", f"fastlstm-lint=={VERSION}"}
    assert needs(published) == wanted
    assert needs(linter) == {"click", "pathspec"}
    for wheel in (published, linter):
        assert metadata(wheel)["Version"] == VERSION
        assert metadata(wheel)["Requires-Python"] == ">=3.11"
        assert metadata(wheel)["License-Expression"] == "MIT"
    assert "fastlstm = fastlstm.cli:main" in text(published, "entry_points.txt")
    assert "fastlstm = fastlstm.pytest_plugin" in text(published, "entry_points.txt")
    assert "lint" not in text(published, "entry_points.txt")
    assert "fastlstm-lint = fastlstm_lint.cli:main" in text(linter, "entry_points.txt")
    assert "FL = fastlstm_lint.flake8:Plugin" in text(linter, "entry_points.txt")


def test_the_links_of_the_readmes_hold_on_an_index(published: zipfile.ZipFile, linter: zipfile.ZipFile) -> None:
    for wheel in (published, linter):
        page = str(metadata(wheel).get_payload())
        assert not re.findall(r"\]\((?!https://|#)[^)]*\)", page)
        assert {"Documentation", "Repository"} <= {
            each.split(",")[0] for each in metadata(wheel).get_all("Project-URL", [])
        }
    page = str(metadata(published).get_payload())
    assert "(https://fastlstm.github.io/fastlstm/lint/)" in page
    assert "(https://fastlstm.github.io/fastlstm/rules/)" in page


def test_a_checkout_brings_the_linter_and_all_that_it_has(checkout: zipfile.ZipFile, linter: zipfile.ZipFile) -> None:
    """Nothing that is not on an index yet is asked of one."""
    assert inside(checkout) == files("fastlstm", "fastlstm_lint")
    assert needs(checkout) == {"numba", "numpy", "safetensors"} | needs(linter)
    for line in text(linter, "entry_points.txt").splitlines():
        assert line in text(checkout, "entry_points.txt")


def test_the_mirror_for_pre_commit_requires_the_linter_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "release")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "release@example.org")
    folder = tmp_path / "mirror"
    run(LINT / "mirror.py", folder, cwd=tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [f"fastlstm-lint=={VERSION}"]
    commands = re.findall(r"^ *entry: (\S+) (\w+)", (folder / ".pre-commit-hooks.yaml").read_text(), re.MULTILINE)
    assert commands == [("fastlstm-lint", "lint"), ("fastlstm-lint", "shapes")]
    tags = subprocess.run(["git", "-C", str(folder), "tag"], capture_output=True, text=True, check=True).stdout
    assert tags.split() == [f"v{VERSION}"]


def test_the_site_has_one_address() -> None:
    """These cannot read `SITE`: the address is changed there, and where this then says."""
    for name in (
        *("pyproject.toml", "lint/pyproject.toml", "mkdocs.yml", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"),
        "lint/fastlstm_lint/cli/lsp.py",  # a command's help
    ):
        assert SITE in (ROOT / name).read_text(encoding="utf-8"), name


def test_both_licences_are_one() -> None:
    assert (LINT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_an_sdist_has_what_its_tests_read(sdist: Path) -> None:
    for name in ("tests/test_floors.py", "docs/lint.md", "benchmarks", "Makefile", "hatch_build.py", "CHANGELOG.md"):
        assert (sdist / name).exists(), name
    assert not (sdist / "lint").exists()


def alone(wheel: zipfile.ZipFile, folder: Path, code: str, *blocked: str) -> str:
    """What a program prints that sees a wheel's files before all else, and none of the modules `blocked`."""
    wheel.extractall(folder)
    block = "".join(f"sys.modules[{name!r}] = None; " for name in blocked)
    # -P and the extra path entry: the editable install must not answer for the wheel
    return run("-P", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {block}{code}", cwd=folder)


def test_it_runs_from_the_wheel_alone(checkout: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked and alone on the path, it is what is imported, and the command works: no file was forgotten."""
    code = (
        "import fastlstm, fastlstm_lint; print(fastlstm.__file__, fastlstm_lint.__file__); "
        "from fastlstm.cli import main; main(['explain', 'LSTM(5, 6)'])"
    )
    out = alone(checkout, tmp_path, code)
    assert out.count(str(tmp_path)) == 2
    assert "LSTM(5, 6): 312 parameters" in out


def test_the_linter_runs_without_numpy_and_without_fastlstm(linter: zipfile.ZipFile, tmp_path: Path) -> None:
    program = tmp_path / "m.py"
    program.write_text("import torch.nn as nn\nlayer = nn.LSTM(5, 6, dropout=0.5)\n")
    code = (
        "from fastlstm_lint.cli import main; main(['explain', 'nn.LSTM(5, 6)'], standalone_mode=False); "
        "main(['lint', '--no-cache', '--exit-zero', 'm.py'])"
    )
    out = alone(linter, tmp_path, code, "numpy", "numba", "torch", "fastlstm")
    assert "LSTM(5, 6): 312 parameters" in out
    assert "m.py:2:" in out
    assert "FL310" in out
