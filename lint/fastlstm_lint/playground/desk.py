"""Where questions are put: one worker process, which is ended when it takes too long, and who waits for it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LIMIT = 10.0
"""Seconds after which a question is given up. The linter's own budget stops most programs after four."""

GRACE = 0.5
"""Seconds that a question has, once a newer one has taken its place: ending a worker costs half as much."""

PAGES = 64
"""Pages whose newest question is remembered."""

COMMAND = (sys.executable, "-P", "-m", "fastlstm_lint.playground.worker")
"""-P: the working folder may hold modules of any name."""

Answer = dict[str, Any]
Key = tuple[str, str]


@dataclass(slots=True)
class Running:
    """The question that is being answered, since when, and whether a newer one or the limit has ended it."""

    key: Key
    since: float
    superseded: bool = False
    late: bool = False


class Desk:
    """Answers one question after another. A question that is not begun when its page puts another of its kind gets
    `{"superseded": true}`; one that takes too long, or ends the worker, gets `{"stopped": ...}`."""

    def __init__(self, limit: float = LIMIT, command: Sequence[str] = COMMAND) -> None:
        self.limit, self.command = limit, tuple(command)
        self._turn = threading.Lock()
        self._state = threading.Lock()  # guards what follows; held for no longer than it takes to look
        self._newest: dict[Key, int] = {}
        self._count = 0
        self._running: Running | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def start(self) -> None:
        """Start the worker ahead of the first question: it takes a third of a second."""
        with self._turn:
            self._worker()

    def ask(self, question: Mapping[str, Any]) -> Answer:
        """The answer to a question; does not raise."""
        key = (str(question.get("page", "")), str(question.get("ask", "")))
        with self._state:
            self._count += 1
            ticket = self._count
            self._newest.pop(key, None)
            self._newest[key] = ticket
            if len(self._newest) > PAGES:
                del self._newest[next(iter(self._newest))]
        while not self._turn.acquire(timeout=GRACE / 5):
            self._end_older(key)
        try:
            with self._state:
                if self._newest.get(key, ticket) != ticket:
                    return {"superseded": True}
                if self._closed:
                    return {"stopped": "ended", "limit": self.limit}
                self._running = running = Running(key, time.monotonic())
            return self._put(question, running)
        finally:
            with self._state:
                self._running = None
            self._turn.release()

    def close(self) -> None:
        """End the worker."""
        with self._state:
            self._closed = True
            self._kill()
        _close_pipes(self._process)

    def _end_older(self, key: Key) -> None:
        """End what is being answered if a newer question waits for it, and it had its time."""
        with self._state:
            running = self._running
            if running is None or running.key != key or time.monotonic() - running.since < GRACE:
                return
            running.superseded = True
            self._kill()

    def _end(self, running: Running) -> None:
        """End what is being answered, if it is still that."""
        with self._state:
            if self._running is running:
                running.late = True
                self._kill()

    def _kill(self) -> None:
        """End the worker and see it end: whoever is next must not take it for a living one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _put(self, question: Mapping[str, Any], running: Running) -> Answer:
        process = self._worker()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(self.limit, self._end, (running,))
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            answer = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            answer = None
        finally:
            timer.cancel()
        if isinstance(answer, dict):
            return answer
        with self._state:
            self._kill()  # it has ended, or says what is no answer
            if not self._closed:
                self._worker()
        if running.superseded:
            return {"superseded": True}
        return {"stopped": "time" if running.late else "ended", "limit": self.limit}

    def _worker(self) -> subprocess.Popen[bytes]:
        """The worker, alive."""
        if self._process is None or self._process.poll() is not None:
            _close_pipes(self._process)
            pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=nothing)
        return self._process


def _close_pipes(process: subprocess.Popen[bytes] | None) -> None:
    for pipe in () if process is None else (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not sent to a worker that has ended
                pipe.close()
