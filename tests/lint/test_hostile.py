"""A repository made to harm the linter is survived: what is in one file is never paid for by another.

Every bomb of `hostile.py` runs by `python tests/lint/hostile.py`; here some of each kind, and the folder's oddities.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click
import pytest
from click import unstyle
from click.testing import CliRunner, Result
from fastlstm_lint import check_source, deep, files, parsing, run, session
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.interpreter import budget
from fastlstm_lint.report import FORMATS
from fastlstm_lint.visible import visible

from fastlstm.cli import main

spec = importlib.util.spec_from_file_location("lint_hostile", Path(__file__).with_name("hostile.py"))
assert spec is not None
assert spec.loader is not None
hostile = importlib.util.module_from_spec(spec)
sys.modules["lint_hostile"] = hostile
spec.loader.exec_module(hostile)

MODEL = hostile.HEAD


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(lint, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


KINDS = ["number_squared", "sum_squared", "tuple_doubled", "tuple_times", "tuples_joined", "modules_nested", "lambdas"]
KINDS += ["functions", "classes_diamond", "classes_deep", "objects_linked", "partials", "calls_chained", "sum_of_words"]
KINDS += ["elifs", "transposed", "words_in_a_comment", "list_in_loop", "modules_joined", "methods", "tuple_deep"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processor time are POSIX")
@pytest.mark.parametrize("name", [*KINDS[:7], *(pytest.param(name, marks=pytest.mark.slow) for name in KINDS[7:])])
def test_a_bomb_ends_and_the_mistake_beside_it_is_reported(tmp_path: Path, name: str) -> None:
    """The process is killed after four times the time that a bomb may take on the machine where it was measured."""
    file = tmp_path / f"{name}.py"
    file.write_text(hostile.BOMBS[name]())
    code, findings, _, megabytes, error = hostile.run(file)
    assert code == 1, error
    assert "FL310" in {each["code"] for each in findings}
    assert megabytes < hostile.MEGABYTES


def test_what_is_beyond_the_budget_is_said_and_what_was_found_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget.Budget.__init__, "__defaults__", (200, 60.0))
    found = check_source(MODEL + "y = layer\n" * 100, "case.py")
    assert [each.code for each in found] == ["FL902", "FL310"]
    assert "only a part is analysed" in found[0].message


def test_of_a_long_file_the_beginning_is_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "LARGEST", len(MODEL) + 60)
    found = check_source(MODEL + "x = 1\n" * 100 + MODEL, "case.py")
    assert [(each.code, each.start.row) for each in found] == [("FL310", 4), ("FL901", 14)]


def test_comments_in_a_part_that_was_not_analysed_are_not_called_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = MODEL + "x = 1  # noqa: FL205\n" * 30
    assert "FL900" in {each.code for each in check_source(text, "case.py")}
    monkeypatch.setattr(parsing, "LARGEST", len(MODEL) + 60)
    assert {each.code for each in check_source(text, "case.py")} == {"FL310", "FL901"}
    monkeypatch.undo()
    assert {each.code for each in check_source(text + "def f(:\n", "case.py")} == {"FL901"}


def test_a_statement_that_nests_too_deeply_is_left_out_and_the_others_are_not() -> None:
    deep = "y = " + "-" * 900 + "layer\nz = layer" + ".cpu()" * 20_000 + "\n"
    found = check_source(MODEL + deep + MODEL, "case.py")
    assert [(each.code, each.start.row) for each in found if each.code == "FL310"] == [("FL310", 4), ("FL310", 10)]
    assert not [each for each in found if "internal error" in each.message]


@pytest.mark.parametrize(
    ("text", "row", "said"),
    [
        ("LSTM = 1\nprint 'x'\n", 2, "Python 2"),
        ("LSTM = 1\nif 1:\n        x = 1\n\ty = 2\n", 4, "tabs and spaces"),
        ("LSTM = (1\n", 1, "'(' was never closed"),
        ("LSTM = 1\nx = '\\N{nothing}'\n", 2, "unicode"),
        (f"LSTM = 1\nx = {'9' * 5000}\n", 2, "4300 digits"),
        ("LSTM = 1\nx = " + "(" * 300 + ")" * 300, 2, "too many nested parentheses"),
        ("LSTM = 1\nx = 1\0\n", 1, "null"),
    ],
)
def test_what_cannot_be_parsed_is_said_as_python_says_it(text: str, row: int, said: str) -> None:
    (found,) = check_source(text, "case.py")
    assert found.code == "FL901"
    assert said in found.message
    assert found.start.row == row
    assert len(found.message) < 140


@pytest.mark.parametrize("text", ["n = int(1e400)", "n = int(float('nan'))", "n = 1e400\nm = int(n)", "n = -1e400"])
def test_numbers_that_are_none_do_no_harm(text: str) -> None:
    assert [each.code for each in check_source(MODEL + text, "case.py")] == ["FL310"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_what_is_no_regular_file_is_left_out_and_named(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    (folder / "zero.py").symlink_to("/dev/zero")
    (folder / "gone.py").symlink_to("nowhere")
    (folder / "self.py").symlink_to("self.py")
    os.mkfifo(folder / ".gitignore")
    result = call("--no-cache", ".")
    assert "4 left out, no regular files: gone.py, pipe.py, self.py, ..." in result.stderr
    assert result.stdout.count("FL310 [*]") == 1
    assert "FL901" not in result.stdout


def test_a_link_to_itself_is_asked_for_its_pattern(folder: Path) -> None:
    (folder / "self.py").symlink_to("self.py")
    assert call("--no-cache", "--exclude", "x/*", ".").stdout.count("FL310 [*]") == 1


def test_of_a_gitignore_of_many_patterns_the_first_thousands_are_believed(folder: Path) -> None:
    (folder / ".git").mkdir()
    many = "".join(f"name{i}\n" for i in range(files.MOST_RULES))
    (folder / ".gitignore").write_text(f"left_out.py\n{many}late.py\n")
    (folder / "left_out.py").write_text(MODEL)
    (folder / "late.py").write_text(MODEL)
    assert call("--no-cache", ".").stdout.count("FL310 [*]") == 2


@pytest.mark.parametrize("lines", ["!", "[z-a]\n\\\n[", "**/" * 2000 + "x", "*a" * 60 + "b"])
def test_a_line_of_gitignore_that_means_nothing_or_takes_for_ever_is_passed_over(folder: Path, lines: str) -> None:
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text(f"{lines}\nleft_out.py\n")
    (folder / "left_out.py").write_text(MODEL)
    (folder / ("a" * 200 + ".py")).write_text(MODEL)
    assert call("--no-cache", ".").stdout.count("FL310 [*]") == 2


@pytest.mark.parametrize(
    "text",
    [
        "tool = 1",
        "[tool]\nfastlstm = 3",
        "a = " + "[" * 5000 + "]" * 5000,
        "[tool.fastlstm]\nlint = 1",
        "[tool.fastlstm.lint]\nselect = 1",
        '[tool.fastlstm.lint]\nselect = ["\\u001b[31m"]',
        "\x00",
    ],
)
def test_settings_that_mean_nothing_are_said_in_a_line(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    result = call("--no-cache", ".")
    if text.startswith(("tool", "[tool]")):  # nothing of it is ours
        assert result.exit_code == 1
        return
    assert result.exit_code == 2
    assert result.stderr.count("Error: ") == 1
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


def test_a_process_that_dies_is_a_finding_of_its_file_and_the_rest_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (folder / f"m{number}.py").write_text(MODEL)
    (folder / "deadly.py").write_text(MODEL + "deadly = 1\n")
    check = run.check_bytes

    def dies(data: bytes, *rest: object) -> run.Result:
        if b"deadly" in data:
            os._exit(11)
        return check(data, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "check_bytes", dies)
    found = json.loads(call("--no-cache", "-j", "2", "--output-format", "json", ".").stdout)
    assert [each["filename"] for each in found if each["code"] == "FL902"] == ["deadly.py"]
    assert sum(each["code"] == "FL310" for each in found) == 21
    assert BrokenProcessPool.__name__ not in str(found)


NASTY = ["\x1b]0;x", "\x9b2J", "\u202e", "\u2066", "\x07", "\r", "\u2028", "\udcff", "\x7f"]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"json", "sarif"}))
def test_no_format_prints_what_a_terminal_or_a_log_would_take_for_more_than_text(name: str) -> None:
    nasty = "".join(NASTY)
    text = MODEL.replace("\n\n", f"\n# {nasty.replace(chr(13), '')} ##[error]x\n").replace(
        "5, 6", f"5, 6, '{NASTY[2]}'"
    )
    path = f"::error file=a,line=1::{nasty}\n::error::.py"
    found = check_source(MODEL, path)
    assert found
    printed = unstyle(FORMATS[name](found, {path: text}))
    assert not [each for each in NASTY if each in printed]
    assert "##[" not in printed
    lines = printed.split("\n")
    assert not [
        line for line in lines if line.lstrip().startswith("::") and not line.startswith("::error title=fastlstm")
    ]


@pytest.mark.parametrize(("options", "ending"), [([], ""), (["--check"], ""), ([], "x = (")])
def test_shapes_prints_nothing_that_a_terminal_would_take_for_more_than_text(
    tmp_path: Path, options: list[str], ending: str
) -> None:
    nasty = "".join(each for each in NASTY if each not in "\r\udcff")
    (tmp_path / f"a{nasty}").mkdir()
    text = MODEL + f"x = torch.zeros(2, 3)  # x: (7, 3)\rz = '{nasty}'  # {nasty}\r\n{ending}"
    for name in ("m.py", f"{nasty}.py"):
        (tmp_path / f"a{nasty}" / name).write_text(text, newline="")
    result = CliRunner().invoke(main, ["shapes", *options, str(tmp_path / f"a{nasty}")])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    printed = result.stdout + result.stderr
    assert "\\x1b" in printed
    assert not [each for each in NASTY if each in printed]


def test_carets_stand_under_what_is_meant_although_an_escape_is_longer() -> None:
    text = MODEL.replace("layer = ", "x = '\u202e\t'; layer = ")
    (found,) = check_source(text, "m.py")
    _, source, carets, *_ = unstyle(FORMATS["text"]([found], {"m.py": text})).split("\n")
    meant = text.split("\n")[3][found.start.column - 1 : found.end.column - 1]
    assert source[carets.index("^") :][: carets.count("^")] == meant
    assert "\\u202e" in source


@pytest.mark.parametrize(("text", "shown"), [("a\x1bb", r"a\x1bb"), ("::error", r"\x3a:error"), ("é ok", "é ok")])
def test_text_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are bytes on Linux only")
@pytest.mark.parametrize("name", FORMATS)
def test_a_name_that_is_no_utf_8_is_printed_by_every_format(folder: Path, name: str) -> None:
    file = os.fsdecode(b"\xff\x1b.py")
    (folder / "model.py").rename(folder / file)
    result = call("--output-format", name, "--no-cache", ".")
    assert result.exit_code == 1
    assert "FL310" in result.stdout


def test_flake8_is_told_of_settings_in_one_line(folder: Path) -> None:
    from fastlstm_lint import flake8

    (folder / "pyproject.toml").write_text("[tool.fastlstm.lint]\nignre = []\n")
    with pytest.raises(SystemExit, match="unknown setting 'ignre'"):
        flake8.Plugin.parse_options(None)


def test_a_short_run_draws_no_bar_and_a_long_one_counts_every_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "_terminal", lambda: True)
    assert list(session.progress(iter("abc"), 3)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    drawn: list[int] = []
    bar = click.progressbar
    monkeypatch.setattr(session, "PATIENCE", -1.0)
    monkeypatch.setattr(click, "progressbar", lambda **given: drawn.append(given["length"]) or bar(**given))
    assert list(session.progress(iter("abc"), 3)) == ["a", "b", "c"]
    assert drawn == [3]


def test_the_limit_of_recursion_is_what_it_was_whoever_ends_last() -> None:
    usual = sys.getrecursionlimit()

    def depth(left: int) -> int:
        return 0 if left == 0 else 1 + depth(left - 1)

    def slow() -> int:
        begun.set()
        ended.wait(60)
        return depth(10 * usual)

    begun, ended = threading.Event(), threading.Event()
    results: list[int] = []
    other = threading.Thread(target=lambda: results.append(deep.call(slow)))
    other.start()
    assert begun.wait(60)
    assert deep.call(lambda: depth(2 * usual)) == 2 * usual
    ended.set()
    other.join(60)
    assert results == [10 * usual]
    assert sys.getrecursionlimit() == usual
