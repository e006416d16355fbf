"""Which settings hold for which file, where the cache is, and what `--watch` looks at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.flake8 import Plugin
from fastlstm_lint.lsp.buffer import Buffer
from fastlstm_lint.rules import by_code
from fastlstm_lint.rules.base import HEADER
from fastlstm_lint.session import Options, watch
from fastlstm_lint.watching import changes

WRONG = HEADER + by_code()["FL310"].wrong.replace("  # FL310", "")
OTHER = HEADER + by_code()["FL205"].wrong.replace("  # FL205", "")
TABLE = "[tool.fastlstm.lint]\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages with settings of their own, one without any; each file has FL310 and FL205."""
    for name, settings in {"": 'ignore = ["FL310"]', "a/": 'ignore = ["FL205"]', "b/": None, "c/deep/": ""}.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "m.py").write_text(WRONG + OTHER)
        if settings is not None:
            (tmp_path / name / "pyproject.toml").write_text(TABLE + settings + "\n")
    (tmp_path / "c" / "m.py").write_text(WRONG + OTHER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, text: str | None = None) -> Result:
    result = CliRunner().invoke(lint, list(arguments), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def found(*arguments: str, text: str | None = None) -> dict[str, list[str]]:
    result = run("--output-format", "json", *arguments, text=text)
    codes: dict[str, list[str]] = {}
    for each in json.loads(result.stdout):
        codes.setdefault(each["filename"], []).append(each["code"])
    return {path: sorted(each) for path, each in codes.items()}


EACH = {
    "m.py": ["FL205"], "a/m.py": ["FL310"], "b/m.py": ["FL205"], "c/m.py": ["FL205"],
    "c/deep/m.py": ["FL205", "FL310"],
}  # fmt: skip


def test_each_file_has_the_settings_of_the_nearest_folder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found() == EACH
    assert found(*EACH) == EACH
    assert found("-j", "2") == EACH
    assert found("--ignore", "FL205") == {"a/m.py": ["FL310"], "c/deep/m.py": ["FL310"]}
    assert found("--config", "a/pyproject.toml") == {name: ["FL310"] for name in EACH}
    assert found("--stdin-filename", "a/new.py", "-", text=WRONG + OTHER) == {"a/new.py": ["FL310"]}
    monkeypatch.chdir(repository / "b")
    assert found("../a/m.py", "m.py") == {"../a/m.py": ["FL310"], "m.py": ["FL205"]}


def test_a_folder_outside_of_every_project_has_the_settings_of_the_working_directory(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "pyproject.toml").unlink()
    monkeypatch.chdir(repository / "a")
    assert found("../b/m.py") == {"../b/m.py": ["FL310"]}


def test_the_editor_and_flake8_say_what_the_command_says(repository: Path) -> None:
    for name, codes in EACH.items():
        text = (repository / name).read_text()
        assert sorted(each.code for each in Buffer(text, 1, repository / name).findings) == codes
        told = Plugin(None, name, text.splitlines(keepends=True)).run()
        assert sorted(words.split()[0] for _, _, words, _ in told) == codes


def test_exclusion_is_by_the_folder_that_says_it(repository: Path) -> None:
    (repository / "a" / "pyproject.toml").write_text(TABLE + 'exclude = ["m.py"]\n')
    (repository / "c" / "deep" / "pyproject.toml").write_text(TABLE + 'exclude = ["c"]\n')
    assert set(found()) == {"m.py", "b/m.py", "c/m.py", "c/deep/m.py"}
    (repository / "pyproject.toml").write_text(TABLE + 'exclude = ["c"]\n')
    assert set(found()) == {"m.py", "b/m.py"}
    assert set(found("--exclude", "b/*.py")) == {"m.py"}


def test_each_project_has_its_baseline(repository: Path) -> None:
    (repository / "a" / "pyproject.toml").write_text(TABLE + 'baseline = "known.json"\n')
    assert run("--write-baseline").exit_code == 2
    (repository / "pyproject.toml").write_text(TABLE + 'baseline = "all.json"\nignore = ["FL310"]\n')
    assert run("--write-baseline").exit_code == 0
    entries = json.loads((repository / "a" / "known.json").read_text())["findings"]
    assert {each["file"] for each in entries} == {"m.py"}
    assert found() == {"c/deep/m.py": ["FL205", "FL310"]}, "its settings name no baseline"
    (repository / "a" / "known.json").unlink()
    assert set(found()) == {"a/m.py", "c/deep/m.py"}


def test_wrong_settings_of_a_package_are_misuse_and_a_file_that_is_no_toml_is_told(repository: Path) -> None:
    (repository / "a" / "pyproject.toml").write_text("[tool\n")
    result = run()
    assert result.exit_code == 1
    assert "settings not read: " in result.stderr
    assert "a/pyproject.toml" in result.stderr
    assert found()["a/m.py"] == ["FL205"], "those above hold"
    (repository / "a" / "pyproject.toml").write_text(TABLE + "selct = []\n")
    result = run()
    assert result.exit_code == 2
    assert "did you mean select?" in result.stderr


def test_a_folder_that_is_no_project_gets_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    caches = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(caches))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(WRONG)
    run("m.py")
    assert [each.name for each in tmp_path.iterdir()] == ["m.py"]
    assert len(list((caches / "fastlstm" / "lint").glob("??/*"))) == 1
    (tmp_path / ".git").mkdir()
    run("m.py")
    assert len(list((tmp_path / ".fastlstm_cache" / "lint").glob("??/*"))) == 1


def steps(*actions: Callable[[], object]) -> Callable[[float], None]:
    """What happens in each pause; then Ctrl-C."""
    left = list(actions)

    def pause(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    return pause


def test_watch_runs_again_when_a_file_or_its_settings_change(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pause = steps(
        lambda: None,
        lambda: (repository / "b" / "new.py").write_text(WRONG + OTHER),
        lambda: (repository / "b" / "pyproject.toml").write_text(TABLE + 'ignore = ["FL2", "FL3"]\n'),
        lambda: (repository / "b" / "pyproject.toml").write_text(TABLE + 'ignore = "FL2"\n'),
        lambda: (repository / "b" / "pyproject.toml").unlink(),
        lambda: (repository / "b" / "new.py").unlink(),
    )
    with pytest.raises(KeyboardInterrupt):
        watch(("b",), Options(output_format="concise"), pause)
    shown = capsys.readouterr()
    runs = [line.partition(":")[0] for line in shown.out.splitlines()]
    assert runs == ["b/m.py", "b/m.py", "b/new.py", "b/m.py", "b/new.py", "b/m.py"]
    told = [line.split(" ", 1)[1] for line in shown.err.splitlines() if line.partition(" ")[0].count(":") == 2]
    settings = str(repository / "b" / "pyproject.toml")
    assert told == ["b/new.py", settings, settings, settings, "b/new.py"]
    assert "ignore must be a list of strings" in shown.err


def test_what_a_run_writes_itself_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("1")

    def state() -> dict[str, tuple[int, int]]:
        return {"m.py": (0, file.stat().st_size)}

    seen = changes(state, steps(lambda: file.write_text("12"), lambda: None, lambda: None))
    assert next(seen) == ["m.py"]
    file.write_text("123")
    with pytest.raises(KeyboardInterrupt):
        next(seen)


@pytest.mark.parametrize(
    "also", [("-",), ("--diff", "."), ("--add-noqa", "."), ("--baseline", "x", "--write-baseline")]
)
def test_watch_goes_with_looking_and_fixing_only(repository: Path, also: tuple[str, ...]) -> None:
    result = run("--watch", *also, text="")
    assert result.exit_code == 2
    assert "--watch" in result.stderr
