"""The server of the page, for this machine alone: its few files, read when it starts, and the door to the desk."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from .guard import ADDRESS, HEADERS, Guard

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]

LARGEST = 2_000_000
"""Bytes of a question: the longest text that is looked at, each of its characters escaped in JSON, and a little."""

PATIENCE = 30.0
"""Seconds that a connection may be silent."""

CONNECTIONS = 32
"""Connections at a time; a page has six."""

TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}

EDITOR, BUILT = "editor.js", "codemirror.js"
"""The page's own editor, and the one that `make playground` builds, which is served in its place."""


def page_files(built: bool = True) -> dict[str, bytes]:
    """The files of the page by name; "" is the page itself. Without `built` with the page's own editor."""
    folder = files(__package__).joinpath("page")
    found = {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in TYPES}
    bundle = found.pop(BUILT, None)
    if built and bundle is not None:
        found[EDITOR] = bundle
    return found | {"": found["index.html"]}


class Server(ThreadingHTTPServer):
    """Serves the page on 127.0.0.1 to whoever has its address, which holds the token; `port` 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = False  # on Windows it would let another program take the port over

    def __init__(self, ask: Ask, port: int = 0) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.ask = ask
        self.guard = Guard(self.server_address[1])
        self.files = page_files()
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/{self.guard.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection into a thread of its own, or close it where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is its client's business."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """One of the page's files; nothing of the path reaches the file system."""
        name = self._admitted()
        if name is None:
            return
        body = self.server.files.get(name)
        if body is None:
            self._refuse(405 if name == "ask" else 404)
            return
        kind = TYPES[name.rpartition(".")[2] or "html"]
        self._send(200, body, f"{kind}; charset=utf-8")

    def do_POST(self) -> None:
        """A question, answered as JSON."""
        name = self._admitted()
        if name is None:
            return
        length = self.headers.get("Content-Length", "")
        if name != "ask":
            self._refuse(405 if name in self.server.files else 404)
        elif self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdecimal()):
            self._refuse(411)
        elif len(length) > 9 or int(length) > LARGEST:
            self._refuse(413)
        elif self.headers.get_content_type() != "application/json":
            self._refuse(415)
        else:
            try:
                question = json.loads(self.rfile.read(int(length)))
            except (ValueError, RecursionError):
                question = None
            if not isinstance(question, dict):
                self._refuse(400)
                return
            self._send(200, json.dumps(self.server.ask(question)).encode(), "application/json")

    def _admitted(self) -> str | None:
        """What is asked for; None for a request that has been refused, without a word why."""
        name = self.server.guard.admits(self.path, self.headers)
        if name is None:
            self._refuse(403)
        return name

    def _refuse(self, code: int) -> None:
        self.close_connection = True  # the rest of the request is not read
        self._send(code, b"", "text/plain")

    def _send(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses itself, a line too long or a method it does not know."""
        self._refuse(code)

    def version_string(self) -> str:
        """No versions of Python's."""
        return "fastlstm"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: the address holds the token."""
