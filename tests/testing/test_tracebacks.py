"""Help below the traceback: the right rule for every crashing case of the rules, and nothing raised, hidden or left."""

from __future__ import annotations

import io
import linecache
import sys
import types
from pathlib import Path
from typing import Any

import lint_programs as programs
import pytest
import torch
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import Rule, Wrong
from torch import nn

import fastlstm
from fastlstm.tracebacks import load_ipython_extension, unload_ipython_extension
from fastlstm.tracebacks.frames import describe
from fastlstm.tracebacks.help import help_for
from fastlstm.tracebacks.hook import tell
from fastlstm.tracebacks.notebook import shapes_of_cell

CRASHES = [
    pytest.param(rule, case, id=f"{rule.code}-{number}")
    for rule in load_rules()
    for number, case in enumerate(rule.invalid)
    if case.proof == "crash"
]


def raised(source: str, path: str, call: Any = None) -> BaseException:
    """The error of a program, its text where a traceback looks for it."""
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    namespace: dict[str, Any] = {"__name__": "case"}
    try:
        exec(compile(source, path, "exec"), namespace)
        if call is not None:
            call(namespace)
    except programs.ERRORS as error:
        return error
    raise AssertionError("nothing was raised")


def rules_named(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.startswith(("Rule:", "规则："))]


def test_there_are_as_many_crashing_cases_as_it_is_said() -> None:
    assert len(CRASHES) >= 60


@pytest.mark.parametrize(("rule", "case"), CRASHES)
def test_the_right_rule_is_named_with_the_values_shapes(rule: Rule, case: Wrong, tmp_path: Path) -> None:
    x, _ = programs.make_input(case.input)
    error = raised(
        programs.text_of(case.code),
        str(tmp_path / "model.py"),
        lambda found: programs.run(found["Model"]().eval(), x),
    )
    text = help_for(error)
    named = rules_named(text)
    # Of lengths that are known not to be sorted the linter silences FL709 where FL405, which is off by default, is on.
    expected = "FL405" if "sorted in decreasing order" in str(error) else rule.code
    assert named == [expected], (str(error), text)
    assert "model.py:" in text
    assert "fastlstm：" in help_for(error, "zh")


BATCH_FIRST = """\
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)

    def forward(self, x):
        h_0 = c_0 = torch.zeros(x.size(0), 2, 6)
        return self.lstm(x, (h_0, c_0))
"""
CALLED = BATCH_FIRST + "\nModel()(torch.zeros(4, 7, 5))\n"


def test_cause_change_rule_and_shapes_are_told(tmp_path: Path) -> None:
    text = help_for(raised(CALLED, str(tmp_path / "model.py")))
    for line in (
        "Cause:   The initial state is batch-first.",
        "Change:  Make it (2, 4, 6)",
        "Rule:    FL101 state-batch-first",
        "Here:    model.py:11: ",
        "self.lstm LSTM(5, 6, num_layers=2, batch_first=True); x (4, 7, 5); h_0 (4, 2, 6); c_0 (4, 2, 6)",
    ):
        assert line in text


def test_without_its_source_the_message_is_explained() -> None:
    namespace: dict[str, Any] = {}
    with pytest.raises(RuntimeError) as caught:
        exec(compile(CALLED, "<stdin>", "exec"), namespace)
    text = help_for(caught.value)
    assert rules_named(text) == ["FL101"]
    assert "h_0 (4, 2, 6)" in text


@pytest.mark.parametrize(
    "source",
    [
        "a, b = 1, 2, 3",
        "raise ValueError('not enough values to unpack')",
        "{}['x']",
        "import torch; x = torch.zeros(3); raise ValueError('of the program itself')",
        "raise SystemExit(1)",
        "raise KeyboardInterrupt",
    ],
)
def test_of_other_errors_nothing_is_said(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        exec(compile(source, "other.py", "exec"), {})
    except BaseException as error:
        tell(error, "en")
    assert capsys.readouterr().err == ""


def test_what_is_asked_about_the_values_runs_nothing_and_fails_nothing() -> None:
    class Trap(nn.Module):
        ran = False

        def __getattribute__(self, name: str) -> Any:
            if name not in ("__class__", "__dict__"):
                Trap.ran = True
            return super().__getattribute__(name)

        def extra_repr(self) -> str:
            raise AssertionError

    trap = Trap()
    Trap.ran = False
    assert describe(trap) == describe("text") == describe(None) == ""
    assert not Trap.ran
    assert describe((torch.zeros(2, 3), torch.zeros(4).long())) == "((2, 3), (4,) int64)"
    assert describe(nn.utils.rnn.pack_sequence([torch.zeros(3, 5)])) == "packed, data (3, 5)"
    looped: list[Any] = []
    looped.append(looped)
    namespace = {"torch": torch, "looped": looped}
    try:
        exec(compile("looped; torch.zeros(2) @ torch.zeros(3)", "loop.py", "exec"), namespace)
    except RuntimeError as error:
        help_for(error)  # does not raise
    else:
        pytest.fail("torch multiplied them")


def test_the_hook_prints_below_the_traceback_and_is_taken_away(python: Any, tmp_path: Path) -> None:
    program = tmp_path / "model.py"
    program.write_text("import fastlstm\nfastlstm.explain_errors()\n" + CALLED, encoding="utf-8")
    done = python(str(program))
    assert done.returncode == 1
    before, _, after = done.stderr.partition("fastlstm: what this error means")
    assert before.startswith("Traceback (most recent call last):")
    assert "RuntimeError: Expected hidden[0] size (2, 4, 6), got [4, 2, 6]" in before
    assert "Rule:    FL101" in after
    program.write_text("import fastlstm\nwith fastlstm.explain_errors():\n    pass\n" + CALLED, encoding="utf-8")
    assert "fastlstm:" not in python(str(program)).stderr


def test_hooks_are_put_back_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def first(*_: Any) -> None:
        calls.append("first")

    monkeypatch.setattr(sys, "excepthook", first)
    help_ = fastlstm.explain_errors()
    assert fastlstm.explain_errors("zh") is help_
    assert help_.lang == "zh"
    help_.restore()
    assert sys.excepthook is first
    help_ = fastlstm.explain_errors()

    def above(*error: Any) -> None:
        help_(*error)

    sys.excepthook = above
    help_.restore()
    assert sys.excepthook is above, "another's hook stays"
    above(ValueError, ValueError("x"), None)
    assert calls == ["first"]
    with pytest.raises(ValueError, match="expected 'en' or 'zh'"):
        fastlstm.explain_errors("fr")  # type: ignore[arg-type]


def test_a_closed_standard_error_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = raised(CALLED, str(tmp_path / "model.py"))
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None, io.TextIOWrapper(io.BytesIO(), encoding="ascii")):
        monkeypatch.setattr(sys, "stderr", stream)
        tell(error, "zh")


class Shell:
    """As much of IPython's shell as the extension uses."""

    def __init__(self) -> None:
        self.custom_exceptions: tuple[type, ...] = ()
        self.CustomTB: Any = None
        self.user_ns: dict[str, Any] = {"In": [""]}
        self.shown: list[BaseException] = []
        self.ran: list[str] = []
        self.magics_manager = types.SimpleNamespace(magics={"cell": {}, "line": {}})

    def set_custom_exc(self, kinds: tuple[type, ...], handler: Any) -> None:
        self.custom_exceptions = kinds
        self.CustomTB = types.MethodType(handler, self)

    def showtraceback(self, error: tuple[Any, BaseException, Any], tb_offset: int | None = None) -> None:
        self.shown.append(error[1])

    def register_magic_function(self, function: Any, kind: str, name: str) -> None:
        self.magics_manager.magics[kind][name] = function

    def run_cell(self, cell: str) -> None:
        self.ran.append(cell)


def test_the_extension_shows_the_traceback_then_the_help_with_the_model_of_an_earlier_cell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell = Shell()
    fastlstm.load_ipython_extension(shell)
    load_ipython_extension(shell)
    call = "model = Model()\nmodel(torch.zeros(4, 7, 5))\n"
    shell.user_ns["In"] += [BATCH_FIRST, call]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate((BATCH_FIRST, call)):
        path = f"/tmp/ipykernel_1/{number}.py"
        linecache.cache[path] = (len(cell), None, cell.splitlines(keepends=True), path)
    exec(compile(BATCH_FIRST, "/tmp/ipykernel_1/0.py", "exec"), namespace)
    with pytest.raises(RuntimeError) as caught:
        exec(compile(call, "/tmp/ipykernel_1/1.py", "exec"), namespace)
    shell.CustomTB(caught.type, caught.value, caught.tb)
    assert shell.shown == [caught.value]
    text = capsys.readouterr().err
    assert rules_named(text) == ["FL101"]
    assert "Here:    cell 1, line 11: " in text
    assert "h_0 (4, 2, 6)" in text
    unload_ipython_extension(shell)
    assert (shell.custom_exceptions, shell.CustomTB) == ((), None)
    assert "shapes" not in shell.magics_manager.magics["cell"]
    unload_ipython_extension(shell)


def test_shapes_of_a_cell_know_the_cells_before_and_run_the_cell(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell()
    load_ipython_extension(shell)
    cell = "x = torch.zeros(4, 7, 5)\nout, (h, c) = lstm(x)\n"
    made = "import torch\nlstm = torch.nn.LSTM(5, 6, 2, batch_first=True)\n"
    shell.user_ns["In"] += [made, "%%shapes\n" + cell]
    shell.magics_manager.magics["cell"]["shapes"]("", cell)
    shown = capsys.readouterr().out
    assert "out: (4 batch, 7 time, 6 feature)" in shown
    assert "nn.LSTM" not in shown, "the cells before are not shown"
    assert shell.ran == [cell]
    shell.magics_manager.magics["cell"]["shapes"]("--only", cell)
    assert shell.ran == [cell]
    assert "x = (" in shapes_of_cell("x = (\n")
