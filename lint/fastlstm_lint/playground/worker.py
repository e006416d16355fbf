"""The process that answers: a question a line on standard input, its answer a line on standard output.

It ends when its input does, so with the process that started it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
from queue import SimpleQueue
from typing import Any, BinaryIO

from .answers import Answers

MEMORY = 3_000_000_000
"""Bytes of address space: half a gigabyte is a stack of which little is used, the tree of 10,000 lines takes 150 MB."""

MOST = 20
"""Answers in a row whose garbage is left."""

FIRST = "import torch\nx, _ = torch.nn.LSTM(5, 6)(torch.zeros(4, 3, 5))\n"
"""Looked at before the first question: the rules are loaded then."""


def bounded() -> None:
    """Take no more memory than `MEMORY`, where the system can be told so."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def serve(asked: BinaryIO, told: BinaryIO) -> None:
    """Answer line by line until there are no more. What is being answered then is given up: nobody waits for it."""
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_answer, args=(questions, told), daemon=True).start()
    for line in asked:
        questions.put(line)


def _answer(questions: SimpleQueue[bytes], told: BinaryIO) -> None:
    answers = Answers()
    answers.answer({"ask": "look", "source": FIRST})
    # Garbage is looked for between two questions: a look takes half as long as an answer. What is there now stays.
    gc.disable()
    gc.freeze()
    left = 0
    while True:
        answer: dict[str, Any]
        try:
            answer = answers.answer(json.loads(questions.get()))
        except Exception as error:
            answer = {"stopped": "failed", "message": type(error).__name__}
        told.write(json.dumps(answer).encode() + b"\n")
        told.flush()
        answers.tidy()
        left += 1
        if questions.empty() or left > MOST:
            gc.collect()
            left = 0


if __name__ == "__main__":
    bounded()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)  # a thread that answers would be waited for where it holds the output
