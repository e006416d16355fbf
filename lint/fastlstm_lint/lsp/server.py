"""The server: which requests it answers, and when a buffer is looked at."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from .. import __version__, disk
from ..config import ConfigError
from ..files import decode
from ..run import LARGEST
from . import answers
from .buffer import Buffer
from .text import Lines

DELAY = 0.3
"""Seconds without a key after which a changed buffer is checked."""

Result = TypeVar("Result")


def _on_disk(path: str | None) -> str:
    """The text of a file that no editor has opened; nothing of what is no plain file of text."""
    try:
        return "" if path is None else decode(disk.read(path, LARGEST))
    except Exception:  # a codec may raise anything
        return ""


async def in_thread(function: Callable[[], Result]) -> Result:
    """What a function gives, run in a thread that does not keep the process from ending, as an executor's would."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(result: Result | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = function()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await future


class Server(LanguageServer):
    """The language server. Buffers are kept by URI and replaced with each version."""

    def __init__(self) -> None:
        # Whole texts: pygls applies partial changes by lines that also end at form feeds.
        super().__init__("fastlstm", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.buffers: dict[str, Buffer] = {}
        self.complained: set[str] = set()

    def buffer(self, uri: str) -> Buffer:
        """The present version of a text."""
        path = to_fs_path(uri) if uri.startswith("file:") else None
        document = self.workspace.text_documents.get(uri)
        if document is None:
            # pygls would read whatever the name stands for, a device without an end included.
            return Buffer(_on_disk(path), None, None if path is None else Path(path))
        kept = self.buffers.get(uri)
        if kept is None or kept.version != document.version or kept.source != document.source:
            place = None if path is None else Path(path)
            kept = self.buffers[uri] = Buffer(document.source, document.version, place, kept)
        return kept

    def lines(self, buffer: Buffer) -> Lines:
        return Lines(buffer.source, self.workspace.position_encoding or types.PositionEncodingKind.Utf16)

    async def check(self, uri: str, delay: float = 0.0) -> None:
        """Publish the findings of a text, unless it changes within `delay` seconds or while it is looked at."""
        buffer = self.buffer(uri)
        await asyncio.sleep(delay)
        if uri not in self.workspace.text_documents or self.buffer(uri) is not buffer:
            return
        found = await in_thread(lambda: answers.diagnostics(buffer, self.lines(buffer), uri))
        if uri in self.workspace.text_documents and self.buffer(uri) is buffer:
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, buffer.version))
        self._complain(buffer)

    def _complain(self, buffer: Buffer) -> None:
        """Say once that the settings are wrong; the defaults hold until then."""
        try:
            _ = buffer.settings
        except ConfigError as error:
            if str(error) not in self.complained:
                self.complained.add(str(error))
                self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"fastlstm: {error}"))

    async def ask(self, uri: str, question: Callable[[Buffer, Lines], Result]) -> Result:
        """Put a question to the present version of a text, off the event loop: keys go on being read."""
        buffer = self.buffer(uri)
        return await in_thread(lambda: question(buffer, self.lines(buffer)))


def make() -> Server:
    """A server with its features."""
    server = Server()
    feature: Callable[..., Callable[[Callable[..., Awaitable[Any]]], Any]] = server.feature

    @feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def did_open(params: types.DidOpenTextDocumentParams) -> None:
        await server.check(params.text_document.uri)

    @feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def did_change(params: types.DidChangeTextDocumentParams) -> None:
        await server.check(params.text_document.uri, DELAY)

    @feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def did_save(params: types.DidSaveTextDocumentParams) -> None:
        server.buffers.pop(params.text_document.uri, None)  # the settings may be other ones by now
        await server.check(params.text_document.uri)

    @feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def did_close(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.buffers.pop(uri, None)
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    @feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        return await server.ask(params.text_document.uri, lambda b, lines: answers.hover(b, lines, params.position))

    @feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def inlay_hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        return await server.ask(params.text_document.uri, lambda b, lines: answers.inlay_hints(b, lines, params.range))

    @feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, answers.FIX_ALL, answers.SHAPES]),
    )
    async def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri

        def actions(buffer: Buffer, lines: Lines) -> list[types.CodeAction]:
            document = types.OptionalVersionedTextDocumentIdentifier(uri, buffer.version)
            return list(answers.code_actions(buffer, lines, document, params))

        return await server.ask(uri, actions)

    return server
