"""`fastlstm lint` as a project uses it: fixes, suppressions, baseline, ignored files, notebooks, cache, processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.rules import by_code
from fastlstm_lint.rules.base import HEADER

SAFE = HEADER + by_code()["FL310"].wrong.replace("  # FL310", "")
UNSAFE = HEADER + by_code()["FL205"].wrong.replace("  # FL205", "")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, text: str | None = None) -> Result:
    result = CliRunner().invoke(lint, list(arguments), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def codes(*arguments: str, text: str | None = None) -> list[str]:
    return [each["code"] for each in json.loads(run("--output-format", "json", *arguments, text=text).stdout)]


def notebook(*cells: str) -> str:
    entries = [{"cell_type": "markdown", "metadata": {}, "source": ["# nn.LSTM"]}]
    entries += [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell.splitlines(True)}
        for cell in cells
    ]
    return json.dumps({"cells": entries, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def test_fix_applies_safe_fixes_only_and_keeps_line_ends_and_encoding(folder: Path) -> None:
    text = "# coding: latin-1\n# \xe9\n" + SAFE + UNSAFE
    (folder / "m.py").write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    assert run("--fix", "m.py").exit_code == 1
    data = (folder / "m.py").read_bytes()
    assert b"dropout" not in data
    assert b"h_n.view(" in data
    assert b"\xe9\r\n" in data
    assert data.count(b"\n") == data.count(b"\r\n")
    assert run("--unsafe-fixes", "m.py").exit_code == 1
    assert (folder / "m.py").read_bytes() == data, "without --fix nothing is written"
    assert run("--fix", "--unsafe-fixes", "m.py").exit_code == 0
    assert b"transpose(0, 1)" in (folder / "m.py").read_bytes()


def test_a_form_feed_does_not_shift_a_fix(folder: Path) -> None:
    (folder / "m.py").write_text("import os\n\x0c\nname = 'a\u2028b'\n" + SAFE)
    assert run("--fix", "m.py").exit_code == 0
    assert "nn.LSTM(5, 6, batch_first=True)" in (folder / "m.py").read_text()


def test_diff_shows_the_change_and_writes_nothing(folder: Path) -> None:
    (folder / "m.py").write_text(SAFE)
    result = run("--diff", "m.py")
    assert result.exit_code == 1
    assert "-        self.lstm = nn.LSTM(5, 6, batch_first=True, dropout=0.5)" in result.stdout
    assert "+        self.lstm = nn.LSTM(5, 6, batch_first=True)" in result.stdout
    assert (folder / "m.py").read_text() == SAFE


def test_standard_input_is_linted_under_its_name_and_fixed_to_standard_output(folder: Path) -> None:
    result = run("-", "--stdin-filename", "src/m.py", text=SAFE)
    assert result.exit_code == 1
    assert "src/m.py:8:21: FL310" in result.stdout
    fixed = run("-", "--fix", text=SAFE)
    assert fixed.exit_code == 0
    assert fixed.stdout == SAFE.replace(", dropout=0.5", "")


def test_add_noqa_silences_and_an_unused_one_is_reported_and_removed(folder: Path) -> None:
    (folder / "m.py").write_text(UNSAFE)
    assert run("--add-noqa", "m.py").exit_code == 0
    text = (folder / "m.py").read_text()
    assert "h_n.view(x.size(0), -1)  # noqa: FL205\n" in text
    assert codes("m.py") == []
    (folder / "m.py").write_text(text.replace("h_n.view(", "h_n.transpose(0, 1).reshape("))
    assert codes("m.py") == ["FL900"]
    assert run("--fix", "m.py").exit_code == 0
    assert "noqa" not in (folder / "m.py").read_text()


def test_noqa_in_a_string_is_no_comment(folder: Path) -> None:
    (folder / "m.py").write_text('"""LSTM: write `# noqa: FL205`."""\n')
    assert codes("m.py") == []


def test_a_baseline_hides_what_it_holds_though_lines_move(folder: Path) -> None:
    (folder / "m.py").write_text(UNSAFE)
    assert run("--baseline", "b.json", "--write-baseline", "m.py").exit_code == 0
    (folder / "m.py").write_text("import os\n\n" + UNSAFE)
    assert run("--baseline", "b.json", "m.py").exit_code == 0
    (folder / "m.py").write_text(UNSAFE + SAFE)
    assert codes("--baseline", "b.json", "m.py") == ["FL310"]
    (folder / "b.json").write_text("[]")
    assert run("--baseline", "b.json", "m.py").exit_code == 2


def test_gitignored_and_excluded_files_are_left_out(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text("*.gen.py\n/out/\n")
    for name in ("a.gen.py", "out/b.py", "sub/c.py", "sub/keep.gen.py", "sub/out/d.py"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(SAFE)
    (folder / "sub" / ".gitignore").write_text("!keep.gen.py\n")
    found = json.loads(run("--output-format", "json", "sub", "out", ".").stdout)
    assert {each["filename"] for each in found} == {"sub/c.py", "sub/keep.gen.py", "sub/out/d.py"}
    assert len(codes("--no-respect-gitignore", ".")) == 5
    assert codes("--exclude", "sub", ".") == []
    assert codes("--exclude", "sub", "sub/c.py") == ["FL310"]
    assert codes("--exclude", "sub", "--force-exclude", "sub/c.py") == []


def test_settings_of_pyproject_hold(folder: Path) -> None:
    (folder / "a.py").write_text(SAFE + UNSAFE)
    (folder / "test_a.py").write_text(SAFE + UNSAFE)
    table = '[tool.fastlstm.lint]\nignore = ["FL310"]\nper-file-ignores = {"test_*.py" = ["FL2"]}\n'
    (folder / "pyproject.toml").write_text(table)
    assert codes(".") == ["FL205"]
    assert codes("--select", "FL3", ".") == []
    (folder / "pyproject.toml").write_text("[tool.fastlstm.lint]\nignroe = []\n")
    assert run(".").exit_code == 2


def test_a_notebook_is_linted_cell_by_cell_with_its_magics(folder: Path) -> None:
    (folder / "n.ipynb").write_text(
        notebook(
            "%matplotlib inline\n!pip install torch \\\n   numpy\nfiles = !ls\n" + HEADER,
            "%%bash\nLSTM ((",
            "%%time\n" + SAFE.removeprefix(HEADER).lstrip("\n"),
            "this is ( broken",
            "ls data/raw\ncd ..\npip = 3",
        )
    )
    found = json.loads(run("--output-format", "json", "n.ipynb").stdout)
    assert [(each["code"], each["cell"], each["location"]["row"]) for each in found] == [
        ("FL310", 4, 5),
        ("FL901", 5, 1),
    ]
    assert "n.ipynb:cell 4:5:21: FL310" in run("n.ipynb").stdout
    before = (folder / "n.ipynb").read_text()
    run("--fix", "n.ipynb")
    assert (folder / "n.ipynb").read_text() == before.replace(", dropout=0.5", "")


def test_the_value_of_a_cell_s_last_line_is_not_thrown_away(folder: Path) -> None:
    made = "x, h_n = nn.GRU(5, 6)(torch.zeros(3, 4, 5))\nx.permute(1, 0, 2)\n"
    inside = "if True:\n    x.permute(1, 0, 2)"
    (folder / "n.ipynb").write_text(notebook(HEADER + made + "# shown", made + "print(1)", inside))
    found = json.loads(run("--output-format", "json", "n.ipynb").stdout)
    assert [(each["code"], each["cell"], each["location"]["row"]) for each in found] == [
        ("FL211", 3, 2),
        ("FL211", 4, 2),
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [3, {"cell_type": "code"}], "a": "LSTM"}'])
def test_what_is_no_notebook_is_a_finding(folder: Path, text: str) -> None:
    (folder / "n.ipynb").write_text(text + " LSTM" if not text.endswith("}") else text.replace("3}", '3, "a": "LSTM"}'))
    assert codes("n.ipynb") == ["FL901"]


def test_the_cache_gives_the_same_and_notices_another_content(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".git").mkdir()
    (folder / "m.py").write_text(SAFE)
    first = run("m.py").stdout
    with monkeypatch.context() as patch:
        patch.setattr("fastlstm_lint.run.check_bytes", None)
        assert run("m.py").stdout == first
    (folder / "m.py").write_text(UNSAFE)
    assert codes("m.py") == ["FL205"]
    assert codes("--ignore", "FL205", "m.py") == []
    entries = [each for each in (folder / ".fastlstm_cache").rglob("*") if each.is_file()]
    assert len(entries) > 2
    for entry in entries:
        entry.write_text("{")
    assert codes("m.py") == ["FL205"]


def test_several_processes_find_what_one_finds(folder: Path) -> None:
    for number in range(20):
        (folder / f"m{number}.py").write_text(SAFE if number % 2 else UNSAFE)
    one = run("--no-cache", "-j", "1", ".").stdout
    assert one == run("--no-cache", "-j", "2", ".").stdout
    assert one.count("FL310 [*]") == 10


@pytest.mark.parametrize("arguments", [("-", "m.py"), ("--write-baseline", "."), ("--fix", "--add-noqa", ".")])
def test_options_that_exclude_each_other_are_misuse(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, text="").exit_code == 2


def test_pre_commit_runs_the_hooks(folder: Path) -> None:
    """The hooks as the file says them, but with the interpreter at hand: `language: python` would ask a network."""
    pytest.importorskip("pre_commit")
    text = "repos:\n- repo: local\n  hooks:\n"
    for block in ("\n" + (ROOT / ".pre-commit-hooks.yaml").read_text()).split("\n- ")[1:]:
        pairs = (line.strip().partition(": ") for line in block.splitlines() if "#" not in line)
        hook = {key: value for key, _, value in pairs}
        hook |= {"language": "system", "entry": f"{sys.executable} -m {hook['entry'].replace('-', '_', 1)}"}
        text += "  - " + "\n    ".join(f"{key}: {value}" for key, value in hook.items()) + "\n"
    assert "types_or: [python, pyi, jupyter]" in text
    (folder / ".pre-commit-config.yaml").write_text(text)
    (folder / "m.py").write_text(SAFE + "x = torch.zeros(2, 3)  # (2, 4)\n")
    (folder / "n.ipynb").write_text(notebook(SAFE))
    (folder / "t.txt").write_text("LSTM")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PRE_COMMIT_HOME": str(folder / ".pc")}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)

    command("git", "init", "-q")
    command("git", "add", ".")
    done = command(sys.executable, "-m", "pre_commit", "run", "--all-files")
    assert done.returncode == 1, done.stderr
    assert "m.py:8:21: FL310" in done.stdout
    assert "n.ipynb:cell 2:8:21: FL310" in done.stdout
    assert "x is (2 ?, 3 ?), the comment says (2, 4)" in done.stdout
    (folder / "m.py").write_text("import torch\n")
    (folder / "n.ipynb").write_text(notebook("1"))
    command("git", "add", ".")
    assert command(sys.executable, "-m", "pre_commit", "run", "--all-files").returncode == 0


def test_flake8_runs_the_plugin(folder: Path) -> None:
    pytest.importorskip("flake8")
    (folder / "m.py").write_text(SAFE)
    from fastlstm_lint.flake8 import Plugin

    (found,) = Plugin(None, "m.py", SAFE.splitlines(True)).run()
    assert found[:2] == (8, 20)
    assert found[2].startswith("FL310 ")
    config = "[flake8]\nselect = FL\n[flake8:local-plugins]\nextension =\n  FL = fastlstm_lint.flake8:Plugin\n"
    (folder / "setup.cfg").write_text(config)
    done = subprocess.run([sys.executable, "-m", "flake8", "m.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "m.py:8:21: FL310" in done.stdout


def test_advice_on_speed_fails_a_run_only_if_it_is_strict(folder: Path) -> None:
    (folder / "m.py").write_text(HEADER + by_code()["FL802"].wrong)
    for chosen in (["--select", "FL802"], ["--extend-select", "FL802"]):
        result = run(*chosen, "--no-cache", "m.py")
        assert result.exit_code == 0, result.output
        assert ": FL802 " in result.output
        assert "no findings in 1 file, 1 piece of advice on speed" in result.output
        assert run(*chosen, "--strict", "--no-cache", "m.py").exit_code == 1
    (folder / "m.py").write_text(HEADER + by_code()["FL802"].wrong + by_code()["FL205"].wrong.replace("# FL", "# "))
    assert run("--extend-select", "FL8", "--no-cache", "m.py").exit_code == 1
