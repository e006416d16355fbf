"""Running a function with room for deep recursion: a program may nest as deeply as Python itself allows.

libcst's parser recurses on the C stack and ends the process where that is full; a syntax tree is walked by recursion in
Python, which stops at its limit. A thread may have a stack of its own size, of which only what is used takes memory.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

STACKS = (512_000_000, 128_000_000, 32_000_000)
"""Bytes of stack that are asked for, one after the other. Ten times what the deepest tree that Python accepts takes."""

FRAMES = 60_000
"""Python's limit of recursion meanwhile: trees are some 3,000 deep at most, an evaluation takes few frames a level."""

_starting = threading.Lock()


def call(function: Callable[[], T]) -> T:
    """What the function gives or raises, run in a thread of its own; without one where none can be had."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = _started(run)
    if thread is None:
        return function()
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(max(usual, FRAMES))
    try:
        thread.join()
    finally:
        sys.setrecursionlimit(usual)
    if errors:
        raise errors[0]
    return results[0]


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
