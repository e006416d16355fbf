"""The driver's end of a worker: start it, ask it, hold it still while another one is timed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any, Self

# A process that waits still spins: OpenMP and ONNX Runtime threads look for work for up to a second. So it is stopped,
# or, where signals are not to be had, left this long to calm down.
CAN_STOP = hasattr(signal, "SIGSTOP")
SETTLE_SECONDS = 0.3


class WorkerDied(RuntimeError):
    """A worker's process ended; the message holds the last lines it wrote."""


class Process:
    """A worker process for one library. It runs only inside `ask`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process; closed in close()
        # -P: a file torch.py in the current folder is not the library torch
        command = [sys.executable, "-P", "-m", "fastlstm.bench.worker", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, encoding="utf-8"
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have the worker do something, wait for its reply, and put it to sleep again."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if CAN_STOP:
                process.send_signal(signal.SIGCONT)
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            process.wait()
            raise WorkerDied(f"{self.name}: {self._last_words()}")
        if CAN_STOP:
            process.send_signal(signal.SIGSTOP)
        else:
            sleep(SETTLE_SECONDS)
        return json.loads(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # a dead worker's last, unread command
                    pipe.close()
        self._process.kill()  # also ends a stopped process
        self._process.wait()
        self._errors.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"ended with code {self._process.returncode}"


@contextmanager
def processes(adapters: Mapping[str, str]) -> Iterator[dict[str, Process]]:
    """A worker process for each, by the name of its adapter; ended when the block is left, however it is left."""
    started: dict[str, Process] = {}
    try:
        for name, adapter in adapters.items():
            started[name] = Process(adapter)
        yield started
    finally:
        for process in started.values():
            process.close()
