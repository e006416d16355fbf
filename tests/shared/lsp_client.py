"""A client of the language server: pygls's own, over the standard streams of a real process, with one text open."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from fastlstm_lint.lsp.text import Lines
from lsprotocol import types
from pygls.lsp.client import LanguageClient

LIMIT = 60
"""Seconds that one answer may take on a busy machine."""


class Editor:
    """A client with one text open."""

    def __init__(self, uri: str) -> None:
        self.uri, self.version, self.text = uri, 0, ""
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.messages: list[str] = []
        self.client = LanguageClient("test", "1")

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @self.client.feature(types.WINDOW_SHOW_MESSAGE)
        def show(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)

    async def start(self, folder: Path, encodings: list[str] | None = None) -> None:
        await self.client.start_io(sys.executable, "-m", "fastlstm", "lsp")
        general = types.GeneralClientCapabilities(position_encodings=encodings)
        capabilities = types.ClientCapabilities(general=general)
        found = await self.client.initialize_async(types.InitializeParams(capabilities, root_uri=folder.as_uri()))
        assert found.server_info is not None
        assert found.server_info.name == "fastlstm"
        sync = found.capabilities.text_document_sync
        assert isinstance(sync, types.TextDocumentSyncOptions)
        assert (
            sync.change == types.TextDocumentSyncKind.Full
        )  # pygls applies parts by lines that end at form feeds, too
        self.client.initialized(types.InitializedParams())

    async def stop(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        server = self.client._server
        assert server is not None
        assert await asyncio.wait_for(server.wait(), LIMIT) == 0
        await self.client.stop()

    async def open(self, text: str) -> list[types.Diagnostic]:
        self.text, self.version = text, self.version + 1
        item = types.TextDocumentItem(self.uri, "python", self.version, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return await self.diagnostics()

    def change(self, text: str) -> None:
        self.text, self.version = text, self.version + 1
        document = types.VersionedTextDocumentIdentifier(self.version, self.uri)
        whole = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))

    async def diagnostics(self) -> list[types.Diagnostic]:
        """What is published next; it must be about the text as it is now."""
        found = await asyncio.wait_for(self.published.get(), LIMIT)
        assert found.version in (self.version, None)
        return list(found.diagnostics)

    @property
    def document(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    def at(self, words: str) -> types.Position:
        """Where a text stands for the first time, in UTF-16 units."""
        before = self.text[: self.text.index(words)]
        line = before.rpartition("\n")[2]
        return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)

    async def hover(self, words: str) -> str | None:
        params = types.HoverParams(self.document, self.at(words))
        found = await self.client.text_document_hover_async(params)
        if found is None:
            return None
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value.removeprefix("```python\n").removesuffix("\n```")

    async def hints(self) -> list[types.InlayHint]:
        whole = types.Range(types.Position(0, 0), types.Position(999, 0))
        return list(await self.client.text_document_inlay_hint_async(types.InlayHintParams(self.document, whole)) or [])

    async def actions(self, only: list[str] | None = None) -> dict[str, types.CodeAction]:
        whole = types.Range(types.Position(0, 0), types.Position(999, 0))
        context = types.CodeActionContext([], only=only)  # type: ignore[arg-type]
        found = await self.client.text_document_code_action_async(types.CodeActionParams(self.document, whole, context))
        return {each.title: each for each in found or [] if isinstance(each, types.CodeAction)}

    def applied(self, action: types.CodeAction) -> str:
        """The text after an action, edited as an editor does."""
        assert action.edit is not None
        assert action.edit.changes is not None
        lines = Lines(self.text, "utf-16")
        starts = [0]
        for line in lines.lines:
            starts.append(starts[-1] + len(line))

        def offset(position: types.Position) -> int:
            if position.line >= len(lines.lines):
                return len(self.text)
            return starts[position.line] + lines.place(position).column - 1

        text = self.text
        edits = action.edit.changes[self.uri]
        for edit in sorted(edits, key=lambda each: offset(each.range.start), reverse=True):
            text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
        return text
