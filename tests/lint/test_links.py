"""Linting a stranger's repository writes and removes nothing outside of the linter's own files, whatever is a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fastlstm_lint import disk
from fastlstm_lint.cache import Cache
from fastlstm_lint.cli.lint import lint

MODEL = "import torch.nn as nn\n\nlayer = nn.LSTM(5, 6, dropout=0.5)\n"
OLD = "ab" + "0" * 62
"""The name of an entry of the cache."""


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(lint, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(params=[True, False] if disk.BY_DESCRIPTOR else [False], ids=["descriptors", "paths"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with old files of many names and a repository in it, which is the working directory."""
    monkeypatch.setattr(disk, "BY_DESCRIPTOR", request.param)
    for name in ("letters/thesis.txt", "a", f"ab/{OLD}", "ab/notes", f"cd/{OLD}", "x/ab/notes", f"x/ab/{OLD}"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("precious")
        age(file)
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path


def age(file: Path) -> None:
    os.utime(file, (0, 0), follow_symlinks=os.utime not in os.supports_follow_symlinks)


def everything(folder: Path) -> dict[str, bytes | str]:
    """Each file below a folder and what is in it, but for what the linter keeps."""
    found: dict[str, bytes | str] = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            if path.is_symlink():
                found[str(path)] = os.readlink(path)
            elif path.is_file():
                found[str(path)] = path.read_bytes()
    return found


COMMITTED = {
    "the cache's folder": (".fastlstm_cache", ".."),
    "the cache's folder, to the files": (".fastlstm_cache", "../x/.."),
    "the linter's folder in it": (".fastlstm_cache/lint", "../.."),
    "a shelf": (".fastlstm_cache/lint/ab", "../../../ab"),
    "every shelf": (".fastlstm_cache/lint/{:02x}", "../../../letters"),
    "an entry": (f".fastlstm_cache/lint/ab/{OLD}", f"../../../../ab/{OLD}"),
    "the ignore file": (".fastlstm_cache/.gitignore", "../../new"),
    "the linter's ignore file": (".fastlstm_cache/lint/.gitignore", "../../../new"),
}


@pytest.mark.parametrize("position", COMMITTED)
def test_a_committed_link_leads_the_cache_nowhere(home: Path, position: str) -> None:
    name, target = COMMITTED[position]
    for number in range(256 if "{" in name else 1):
        link = home / "repository" / name.format(number)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    before = everything(home)
    assert "FL310" in run(".").stdout
    assert "FL310" in run(".").stdout
    after = everything(home)
    own = str(home / "repository" / ".fastlstm_cache" / "lint")
    assert {name: text for name, text in after.items() if name in before or not name.startswith(own)} == before


@pytest.mark.parametrize("setting", ["{home}", "..", "../letters", "a/../..", "/", "C:\\\\x", "\\\\x", "a\\u0000b"])
@pytest.mark.parametrize("key", ["cache-dir", "baseline"])
def test_the_repository_cannot_say_a_folder_outside(home: Path, key: str, setting: str) -> None:
    text = f'[tool.fastlstm.lint]\n{key} = "{setting.format(home=home)}"\n'
    (home / "repository" / "pyproject.toml").write_text(text)
    before = everything(home)
    result = run(".", "--write-baseline")
    assert result.exit_code == 2
    assert f"{key} must be a path below the folder of this file" in result.stderr
    assert everything(home) == before


def test_a_folder_inside_that_is_a_link_holds_no_cache(home: Path) -> None:
    (home / "repository" / "pyproject.toml").write_text('[tool.fastlstm.lint]\ncache-dir = "kept/here"\n')
    (home / "repository" / "kept").symlink_to("..")
    before = everything(home)
    assert "FL310" in run(".").stdout
    assert everything(home) == before


def test_the_baseline_of_the_repository_is_written_through_no_link(home: Path) -> None:
    (home / "repository" / "pyproject.toml").write_text('[tool.fastlstm.lint]\nbaseline = "in/known.json"\n')
    (home / "repository" / "in").symlink_to("../letters")
    before = everything(home)
    result = run("--no-cache", ".", "--write-baseline")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert everything(home) == before


def test_a_baseline_that_is_a_link_is_replaced_itself(home: Path) -> None:
    known = home / "repository" / "known.json"
    known.symlink_to("../letters/thesis.txt")
    assert run("--no-cache", ".", "--baseline", "known.json", "--write-baseline").exit_code == 0
    assert (home / "letters/thesis.txt").read_text() == "precious"
    assert not known.is_symlink()
    assert run("--no-cache", ".", "--baseline", "known.json").exit_code == 0


@pytest.mark.parametrize("option", ["--fix", "--add-noqa"])
def test_a_link_to_a_file_outside_is_not_changed(home: Path, option: str) -> None:
    (home / "letters" / "mine.py").write_text(MODEL)
    (home / "repository" / "model.py").unlink()
    (home / "repository" / "model.py").symlink_to("../letters/mine.py")
    result = run("--no-cache", option, ".")
    assert "is not changed" in result.stderr
    assert (home / "letters" / "mine.py").read_text() == MODEL


def test_a_link_to_a_file_of_the_project_is_fixed(home: Path) -> None:
    (home / "repository" / "package").mkdir()
    (home / "repository" / "package" / "link.py").symlink_to("../model.py")
    run("--no-cache", "--fix", "package")
    assert "dropout" not in (home / "repository" / "model.py").read_text()


def test_the_user_may_say_any_folder(home: Path) -> None:
    assert "FL310" in run("--cache-dir", str(home / "elsewhere"), ".").stdout
    assert list((home / "elsewhere" / "lint").glob("??/*"))
    assert not (home / "elsewhere" / ".gitignore").exists()


def test_only_old_entries_are_removed(home: Path) -> None:
    cache = Cache(home / "kept")
    cache.put(OLD, "model.py", [], {})
    shelf = home / "kept" / "lint" / "ab"
    others = [shelf / "notes", shelf / f"{OLD}.txt", shelf / OLD[2:], shelf.parent / "abc", shelf / ("cd" + OLD[2:])]
    young = shelf / ("ab" + "1" * 62)
    for file in (*others, young):
        file.write_text("{}")
    for file in (*others, shelf / OLD):
        age(file)
    cache.prune()
    assert not (shelf / OLD).exists()
    assert all(file.exists() for file in (*others, young))


def test_an_entry_that_is_a_pipe_is_no_entry(home: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("named pipes are POSIX")
    run(".")
    for entry in (home / "repository" / ".fastlstm_cache" / "lint").glob("??/*"):
        entry.unlink()
        os.mkfifo(entry)
    assert "FL310" in run(".").stdout
