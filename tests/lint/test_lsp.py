"""`fastlstm lsp` as an editor uses it: pygls's own client, over the standard streams of a real process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastlstm_lint.lsp import answers
from fastlstm_lint.lsp.buffer import Buffer
from fastlstm_lint.lsp.text import Lines
from fastlstm_lint.rules import by_code
from fastlstm_lint.rules.base import HEADER, model
from fastlstm_lint.shapes.document import Document
from lsp_client import LIMIT, Editor
from lsprotocol import types

SAFE = HEADER + by_code()["FL310"].wrong.replace("  # FL310", "")
UNSAFE = HEADER + by_code()["FL205"].wrong.replace("  # FL205", "")
STATE = "(1 layer, B batch, 6 feature)"

Session = Callable[[Callable[[Editor], Awaitable[None]]], None]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Runs a conversation with a server of its own; the text is m.py in `tmp_path`."""

    def run(talk: Callable[[Editor], Awaitable[None]], encodings: list[str] | None = None) -> None:
        async def whole() -> None:
            editor = Editor((tmp_path / "m.py").as_uri())
            await editor.start(tmp_path, encodings)
            try:
                await talk(editor)
            finally:
                await editor.stop()

        asyncio.run(asyncio.wait_for(whole(), 2 * LIMIT))

    return run


def codes(found: list[types.Diagnostic]) -> list[Any]:
    return [each.code for each in found]


def test_diagnostics_follow_an_unsaved_buffer(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        (found,) = await editor.open(UNSAFE)
        assert (found.code, found.source, found.severity) == ("FL205", "fastlstm", types.DiagnosticSeverity.Warning)
        assert found.range.start == editor.at("h_n.view")
        assert found.code_description is not None
        assert found.code_description.href.endswith("/FL205/")
        editor.change(UNSAFE.replace("h_n.view(", "h_n.transpose(0, 1).reshape("))
        assert await editor.diagnostics() == []
        editor.client.text_document_did_close(types.DidCloseTextDocumentParams(editor.document))
        assert await editor.diagnostics() == []

    session(talk)


def test_a_text_that_was_never_a_program_is_said_to_be_none(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        (found,) = await editor.open(UNSAFE + "def f(:\n")
        assert (found.code, found.severity) == ("FL901", types.DiagnosticSeverity.Error)

    session(talk)


def test_what_was_known_is_kept_while_a_line_is_being_typed(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        (found,) = await editor.open(UNSAFE)
        hints = await editor.hints()
        assert hints
        editor.change("import os\nos.walk((\n" + UNSAFE)
        (kept,) = await editor.diagnostics()
        assert (kept.code, kept.range.start.line) == ("FL205", found.range.start.line + 2)
        moved = await editor.hints()
        assert [(each.position.line - 2, each.label) for each in moved] == [
            (each.position.line, each.label) for each in hints
        ]
        editor.change(UNSAFE.replace("h_n.view(", "h_n.view(((("))
        assert await editor.diagnostics() == []  # the line that it was about is another one

    session(talk)


def test_a_file_that_is_not_open_is_read_only_if_it_is_one(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        for device in ("/dev/full", "/dev/zero"):
            item = types.TextDocumentIdentifier(f"file://{device}")
            whole = types.Range(types.Position(0, 0), types.Position(10, 0))
            asked = editor.client.text_document_inlay_hint_async(types.InlayHintParams(item, whole))
            assert not await asyncio.wait_for(asked, 60)

    session(talk)


def test_quick_typing_is_checked_once(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        await editor.open(SAFE)
        for end in range(5):
            editor.change(UNSAFE + "#" * end)
        assert codes(await editor.diagnostics()) == ["FL205"]
        await asyncio.sleep(0.6)
        assert editor.published.empty()

    session(talk)


def test_hover_and_inlay_hints_show_shapes(session: Session) -> None:
    body = "é = '😀'; out, (h, c) = self.lstm(x)\nlast = out[:, -1].relu()\nreturn self.lstm(x)[0]"
    source = HEADER + model("self.lstm = nn.LSTM(5, 6, batch_first=True)", body)

    async def talk(editor: Editor) -> None:
        assert await editor.open(source) == []
        assert await editor.hover("out, (h") == "out: (B batch, T time, 6 feature)"
        assert await editor.hover("h, c)") == "h: (1 layer, B batch, 6 feature)"
        assert await editor.hover("x):\n") == "x: (B batch, T time, 5 feature)"
        assert await editor.hover("lstm = nn") == "self.lstm: nn.LSTM(5, 6, batch_first=True)"
        made = "\n```\n\nmade at line 8"
        assert (
            await editor.hover("lstm(x)[0]")
            == f"self.lstm(x): ((B batch, T time, 6 feature), ({STATE}, {STATE})){made}"
        )
        assert await editor.hover("relu()") == "out[:, -1].relu(): (B batch, 6 feature)"
        assert await editor.hover("import torch") is None
        whole = types.Range(types.Position(0, 0), types.Position(99, 0))
        found = await editor.client.text_document_inlay_hint_async(types.InlayHintParams(editor.document, whole))
        hints = {(hint.position.line, hint.position.character): hint.label for hint in found or []}
        behind_out, behind_last = editor.at(", (h, c)"), editor.at(" = out[:")
        assert hints[behind_out.line, behind_out.character] == ": (B batch, T time, 6 feature)"
        assert hints[behind_last.line, behind_last.character] == ": (B batch, 6 feature)"
        assert list(hints.values())[-1] == " -> (B batch, T time, 6 feature)"
        part = types.Range(types.Position(behind_last.line, 0), types.Position(behind_last.line, 1))
        found = await editor.client.text_document_inlay_hint_async(types.InlayHintParams(editor.document, part))
        assert [hint.position.line for hint in found or []] == [behind_last.line]

    session(talk)


def test_hover_tells_the_rule_and_where_a_layer_was_made(session: Session, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("import torch.nn as nn\n\nfar = nn.LSTM(5, 6)\n")
    near = next(row for row, line in enumerate(UNSAFE.splitlines(), 1) if "nn.LSTM(" in line)

    async def talk(editor: Editor) -> None:
        (found,) = await editor.open(f"{UNSAFE}\nfrom made import far\nfar(torch.zeros(3, 2, 5))\n")
        (made,) = found.related_information or []
        assert made.location.uri == editor.uri
        assert made.location.range.start.line == near - 1
        said = await editor.hover("h_n.view")
        assert said is not None
        assert "**FL205 state-flatten-without-transpose**" in said
        assert by_code()["FL205"].explanation.strip() in said
        assert said.endswith("/rules/FL205/)")
        said = await editor.hover("lstm(x)")
        assert said is not None
        assert said.startswith("self.lstm(x): (")
        assert said.endswith(f"made at line {near}")
        assert (await editor.hover("far(torch") or "").endswith("made at line 3 of made.py")
        assert "made at" not in (await editor.hover("lstm = nn") or "")

    session(talk)


def test_fixes_are_offered_by_their_kind_and_do_what_they_say(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        await editor.open("name = '😀'  \x0c\r\n" + SAFE.replace("\n", "\r\n"))
        actions = await editor.actions()
        fix = next(action for title, action in actions.items() if title.startswith("FL310: ") and action.is_preferred)
        assert fix.diagnostics is not None
        assert codes(list(fix.diagnostics)) == ["FL310"]
        fixed = editor.applied(fix)
        assert "dropout" not in fixed
        assert fixed.count("\r\n") == editor.text.count("\r\n")
        (everything,) = (await editor.actions(["source.fixAll"])).values()
        assert everything.title == "fastlstm: apply 1 safe fix"
        assert editor.applied(everything) == fixed
        assert set(await editor.actions(["refactor"])) == set()
        source = await editor.actions(["source"])
        assert set(source) == {everything.title, "fastlstm: write the shapes beside the lines"}
        written = editor.applied(source["fastlstm: write the shapes beside the lines"])
        assert written == Document(editor.text, "m.py").written() != editor.text
        assert "fastlstm: write the shapes beside the lines" not in await editor.actions()
        silent = editor.applied(actions["FL310: suppress on this line"])
        assert "# noqa: FL310\r\n" in silent
        editor.change(silent)
        assert await editor.diagnostics() == []
        editor.change(UNSAFE)
        assert codes(await editor.diagnostics()) == ["FL205"]
        actions = await editor.actions(["quickfix"])
        (unsafe,) = (
            action for title, action in actions.items() if title.endswith("(changes what the program computes)")
        )
        assert unsafe.is_preferred is False
        editor.change(editor.applied(unsafe))
        assert await editor.diagnostics() == []

    session(talk)


def test_the_projects_settings_hold_and_wrong_ones_are_said_once(session: Session, tmp_path: Path) -> None:
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[tool.fastlstm.lint]\nignore = ["FL205"]\n')

    async def talk(editor: Editor) -> None:
        async def saved() -> list[types.Diagnostic]:
            editor.client.text_document_did_save(types.DidSaveTextDocumentParams(editor.document))
            return await editor.diagnostics()

        assert await editor.open(UNSAFE) == []
        settings.write_text('[tool.fastlstm.lint]\nexclude = ["m.py"]\n')
        assert await saved() == []
        settings.write_text("[tool.fastlstm.lint]\nselct = []\n")
        assert codes(await saved()) == ["FL205"]
        assert codes(await saved()) == ["FL205"]
        assert len(editor.messages) == 1
        assert "selct" in editor.messages[0]

    session(talk)


def test_reveal_shape_is_an_information(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        (found,) = await editor.open("import torch\nx = torch.zeros(2, 3)\nreveal_shape(x)\n")
        assert (found.severity, found.message) == (types.DiagnosticSeverity.Information, "x is (2 ?, 3 ?)")

    session(talk)


def test_advice_is_a_hint(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.fastlstm.lint]\nselect = ["FL802"]\n')
    buffer = Buffer(HEADER + by_code()["FL802"].wrong, 1, tmp_path / "m.py")
    found = answers.diagnostics(buffer, Lines(buffer.source, "utf-16"), "file:///m.py")
    assert [(each.code, each.severity) for each in found] == [("FL802", types.DiagnosticSeverity.Hint)]


def test_a_text_in_no_file_is_checked(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        editor.uri = "untitled:Untitled-1"
        assert codes(await editor.open(UNSAFE)) == ["FL205"]

    session(talk)


def test_columns_are_counted_in_the_units_that_are_agreed_on(session: Any) -> None:
    source = UNSAFE.replace("return h_n", "s = '😀é'; return h_n")

    for encoding, width in {"utf-8": 6, "utf-16": 3, "utf-32": 2}.items():

        async def talk(editor: Editor, width: int = width) -> None:
            (found,) = await editor.open(source)
            line = source.split("\n")[found.range.start.line]
            assert found.range.start.character == line.index("h_n.view") - 2 + width

        session(talk, [encoding])


def test_a_large_text_is_answered_while_it_is_edited(session: Session) -> None:
    method = "\n    def m{}(self, x):\n        out, _ = self.lstm(x)\n        return out[:, -1]\n"
    source = HEADER + model("self.lstm = nn.LSTM(5, 6, batch_first=True)", "return x")
    source += "".join(method.format(i) for i in range(400))

    async def talk(editor: Editor) -> None:
        assert await editor.open(source) == []
        editor.change(source + "\n")
        assert await editor.hover("out, _") == "out: (B batch, T time, 6 feature)"
        assert await editor.diagnostics() == []

    session(talk)


BOMB = HEADER + "layer = nn.LSTM(5, 6)\nx = torch.zeros(7, 3, 5)\n" + "y, (h, c) = layer(x)\nh[-1]\n" * 4_000
"""A text that takes seconds, as those of `hostile.py`."""


def test_what_is_typed_while_a_bomb_is_looked_at_is_answered_and_the_server_ends(session: Session) -> None:
    async def talk(editor: Editor) -> None:
        opened = asyncio.create_task(editor.open(BOMB))
        await asyncio.sleep(0.5)
        assert not opened.done()
        opened.cancel()
        editor.change(UNSAFE)
        assert codes(await editor.diagnostics()) == ["FL205"]  # and nothing is published of the bomb any more
        assert await editor.hover("h_n.view") is not None
        editor.change(BOMB)
        await asyncio.sleep(1)
        assert editor.published.empty()  # the bomb is being looked at: the server ends all the same

    session(talk)


ODD = [
    "",
    "\n",
    "x",
    "\ufeffimport torch\nx = torch.zeros(2)",
    "import torch\rx = torch.zeros(2)\r\ny = x\x0c\n",
    "import torch; s = '\ud83d'; x = torch.zeros(3)",
    "import torch\ndef f(x, *, y=torch.zeros(2)): return (lambda z: z + y)(x)\n",
    "def f(:\n  LSTM",
    SAFE.replace("\n", "\r"),
]


@pytest.mark.parametrize("text", ODD)
def test_every_place_of_an_odd_text_is_answered(text: str) -> None:
    buffer, lines = Buffer(text, 1, None), Lines(text, "utf-16")
    document = types.OptionalVersionedTextDocumentIdentifier("file:///m.py", 1)
    everywhere = types.Range(types.Position(0, 0), types.Position(10**6, 0))
    answers.diagnostics(buffer, lines, document.uri)
    answers.inlay_hints(buffer, lines, everywhere)
    for only in (None, ["source", "quickfix"]):
        context = types.CodeActionContext([], only=only)  # type: ignore[arg-type]
        params = types.CodeActionParams(types.TextDocumentIdentifier(document.uri), everywhere, context)
        list(answers.code_actions(buffer, lines, document, params))
    for row in range(len(lines.lines) + 2):
        for column in range(40):
            answers.hover(buffer, lines, types.Position(row, column))


def test_without_pygls_the_command_says_what_to_install(python: Any, tmp_path: Path) -> None:
    (tmp_path / "pygls").mkdir()
    (tmp_path / "pygls" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'pygls'\", name='pygls')\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from fastlstm.cli import main; main(['lsp'])"
    done = python("-c", code)
    assert done.returncode == 2
    assert "pip install 'fastlstm[lsp]'" in done.stderr
