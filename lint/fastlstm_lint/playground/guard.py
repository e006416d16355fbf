"""Who is served: a page that has the token, asked for under this server's own name.

A token in the address keeps other users and other pages out. The name in the Host header keeps out a page whose own
name was made to point to 127.0.0.1 (DNS rebinding), and the Origin header one that guesses.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from email.message import Message

ADDRESS = "127.0.0.1"

NAMES = (ADDRESS, "localhost")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""What every answer says: nothing from elsewhere, nothing inline, in no frame, kept nowhere."""


class Guard:
    """The token of one server, and the names it answers to."""

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.hosts = tuple(f"{name}:{port}" for name in NAMES)

    def admits(self, path: str, headers: Message | Mapping[str, str]) -> str | None:
        """What is asked for behind the token, "" for the page itself; None for a request that is not the page's own."""
        if headers.get("Host", "") not in self.hosts:
            return None
        origin = headers.get("Origin")
        if origin is not None and origin not in [f"http://{host}" for host in self.hosts]:
            return None
        slash, token, rest = path[:1], *path[1:].partition("/")[::2]
        known = hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        return rest if known and slash == "/" else None
