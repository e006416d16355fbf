"""Running a function with room for deep recursion: a program may nest as deeply as Python itself allows.

Python's parser recurses on the C stack, and a syntax tree is walked by recursion in Python, which stops at its
limit. A thread may have a stack of its own size, of which only what is used takes memory.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

STACKS = (512_000_000, 128_000_000, 32_000_000)
"""Bytes of stack that are asked for, one after the other. Ten times what the deepest tree that Python accepts takes."""

FRAMES = 60_000
"""Python's limit of recursion meanwhile: trees are some 3,000 deep at most, an evaluation takes few frames a level."""

_starting = threading.Lock()
_calls, _usual = 0, 0
"""Calls that are running now, and the limit of recursion before the first of them: it is one for all threads."""


def call(function: Callable[[], T]) -> T:
    """What the function gives or raises, run in a thread of its own; without one where none can be had."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with _raised_limit():
                results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = _started(run)
    if thread is None:
        return function()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def _raised_limit() -> Iterator[None]:
    global _calls, _usual
    with _starting:
        if _calls == 0:
            _usual = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_usual, FRAMES))
        _calls += 1
    try:
        yield
    finally:
        with _starting:
            _calls -= 1
            if _calls == 0:
                sys.setrecursionlimit(_usual)


def _started(run: Callable[[], None]) -> threading.Thread | None:
    for size in STACKS:
        thread = threading.Thread(target=run, daemon=True)
        with _starting:
            try:
                usual = threading.stack_size(size)
            except ValueError:
                continue
            try:
                thread.start()
            except RuntimeError:
                continue
            finally:
                threading.stack_size(usual)
        return thread
    return None
