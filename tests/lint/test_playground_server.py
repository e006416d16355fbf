"""The playground's server: its page is served to whoever has the address, and nothing to anybody else."""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from fastlstm_lint.playground.guard import Guard
from fastlstm_lint.playground.server import LARGEST, Server


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(lambda question: {"said": question})
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def request(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """What is answered to a request; the Host header is the server's own unless another one is given."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port)
    given = {"Host": f"127.0.0.1:{port}"} | (headers or {})
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        connection.putheader(name, value)
    if body is not None and "Content-Length" not in given:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


JSON = {"Content-Type": "application/json"}


def test_the_page_and_its_files_are_served_with_a_policy(server: Server) -> None:
    with urllib.request.urlopen(server.url) as response:
        text = response.read().decode()
        headers = response.headers
    assert "<title>fastlstm playground</title>" in text
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert not re.search("unsafe|https?:|\\*|blob:", policy)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Python" not in headers["Server"]
    names = set(re.findall(r'(?:src|href)="([^"]+)"', text))
    assert names == {"page.css", "page.js", "data:,"}
    names.remove("data:,")
    done: set[str] = set()
    while names - done:
        name = (names - done).pop()
        done.add(name)
        with urllib.request.urlopen(server.url + name) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers.get_content_type() == ("text/css" if name.endswith("css") else "text/javascript")
            names |= set(re.findall(r'^import .*"\./(\w+\.js)";$', response.read().decode(), re.MULTILINE))
    assert {"ask.js", "editor.js", "words.js", "text.js"} <= done
    assert server.server_address[0] == "127.0.0.1"


def test_nothing_of_the_page_comes_from_elsewhere_or_stands_inline(server: Server) -> None:
    for name, content in server.files.items():
        text = content.decode()
        if len(text) > 100_000:  # the editor that was built
            continue
        assert not re.search(r"https?://|//cdn|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(", text), name
        assert not re.search(r"<style|<script(?! type=\"module\" src=)| on\w+=|style=", text), name


def test_a_question_is_answered(server: Server) -> None:
    asked = {"ask": "look", "source": "é\ud800"}
    status, _, body = request(server, "POST", f"/{server.guard.token}/ask", JSON, json.dumps(asked).encode())
    assert status == 200
    assert json.loads(body) == {"said": asked}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 403),
        ("GET", "/ask", {}, 403),
        ("GET", "/{wrong}/", {}, 403),
        ("GET", "/{token}", {"Host": "evil.example"}, 403),
        ("GET", "/{token}/", {"Host": "evil.example:{port}"}, 403),
        ("GET", "/{token}/", {"Host": "127.0.0.1"}, 403),
        ("GET", "/{token}/", {"Host": ""}, 403),
        ("GET", "/{token}/", {"Host": "localhost:{port}"}, 200),
        ("GET", "http://127.0.0.1:{port}/{token}/", {}, 403),
        ("GET", "/{token}/", {"Origin": "http://evil.example"}, 403),
        ("GET", "/{token}/", {"Origin": "null"}, 403),
        ("GET", "/{token}/", {"Origin": "http://127.0.0.1:{port}"}, 200),
        ("GET", "/{token}/../", {}, 404),
        ("GET", "/{token}/../../etc/passwd", {}, 404),
        ("GET", "/{token}/%2e%2e/%2e%2e/etc/passwd", {}, 404),
        ("GET", "/{token}//etc/passwd", {}, 404),
        ("GET", "/{token}/page.js?x", {}, 404),
        ("GET", "/{token}/index.html", {}, 200),
        ("GET", "/{token}/nothing.js", {}, 404),
        ("GET", "/{token}/ask", {}, 405),
        ("POST", "/{token}/", JSON, 405),
        ("POST", "/{wrong}/ask", JSON, 403),
        ("POST", "/{token}/ask", JSON | {"Origin": "http://evil.example"}, 403),
        ("POST", "/{token}/ask", JSON | {"Origin": "https://127.0.0.1:{port}"}, 403),
        ("POST", "/{token}/ask", JSON, 411),
        ("POST", "/{token}/ask", JSON | {"Content-Length": "-1"}, 411),
        ("POST", "/{token}/ask", JSON | {"Content-Length": "٣"}, 411),
        ("POST", "/{token}/ask", JSON | {"Content-Length": str(LARGEST + 1)}, 413),
        ("POST", "/{token}/ask", JSON | {"Content-Length": "9" * 5000}, 413),
        ("POST", "/{token}/ask", JSON | {"Transfer-Encoding": "chunked", "Content-Length": "2"}, 411),
        ("POST", "/{token}/ask", {"Content-Type": "text/plain", "Content-Length": "2"}, 415),
        ("POST", "/{token}/ask", {"Content-Length": "2"}, 415),
        ("PUT", "/{token}/ask", {}, 501),
        ("DELETE", "/{token}/page.js", {}, 501),
        ("OPTIONS", "/{token}/ask", {"Origin": "http://evil.example"}, 501),
    ],
)
def test_nobody_else_is_served(server: Server, method: str, path: str, headers: dict[str, str], status: int) -> None:
    words = {"token": server.guard.token, "wrong": "x" * len(server.guard.token), "port": server.server_address[1]}
    given = {name: value.format(**words).encode("utf-8").decode("latin-1") for name, value in headers.items()}
    got, answered, body = request(server, method, path.format(**words), given)
    assert got == status
    assert "Content-Security-Policy" in answered
    assert not any(name.lower().startswith("access-control") for name in answered)
    assert status == 200 or body == b""


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000], ids=lambda body: repr(body[:5]))
def test_a_body_that_is_no_question_is_refused(server: Server, body: bytes) -> None:
    assert request(server, "POST", f"/{server.guard.token}/ask", JSON, body)[0] == 400


def test_a_line_without_end_and_broken_connections_are_no_failure(server: Server) -> None:
    status, answered, body = request(server, "GET", f"/{server.guard.token}/{'x' * 70_000}")
    assert (status, body) == (414, b"")
    assert "Content-Security-Policy" in answered
    for _ in range(3):
        connection = http.client.HTTPConnection(*server.server_address)
        connection.putrequest("POST", f"/{server.guard.token}/ask")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"{")
        connection.close()
    with urllib.request.urlopen(server.url) as response:
        assert response.status == 200


def test_every_server_has_a_token_of_its_own_and_compares_all_of_it() -> None:
    one, two = Guard(80), Guard(80)
    assert one.token != two.token
    assert len(one.token) >= 32
    host = {"Host": "127.0.0.1:80"}
    assert one.admits(f"/{one.token}/a/b", host) == "a/b"
    for token in ("", one.token[:-1], one.token + "x", two.token, "ß" * 32):
        assert one.admits(f"/{token}/", host) is None
        assert one.admits(f"{token}/", host) is None


def test_too_many_connections_are_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server._free = threading.BoundedSemaphore(1)
    kept = http.client.HTTPConnection(*server.server_address)
    kept.request("GET", f"/{server.guard.token}/")
    assert kept.getresponse().read()
    with pytest.raises((urllib.error.URLError, http.client.RemoteDisconnected, ConnectionError)):
        urllib.request.urlopen(server.url)
    kept.close()
