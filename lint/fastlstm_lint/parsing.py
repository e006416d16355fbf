"""Parsing a stranger's program, by Python's own parser: it bounds how deep a program nests, and says what is wrong."""

from __future__ import annotations

import ast
import gc
import re
import warnings
from functools import cached_property

from . import cst
from .building import build
from .source import Text, split_lines

LARGEST = 400_000
"""Characters of the largest program that is looked at, some 10,000 lines; its trees take 150 MB and half a second, and
no more of it could be walked within `interpreter.budget`. What is larger is data, or generated."""

TOP_LEVEL = r"(?m)^(?=[A-Za-z_@#])"
"""Where a statement at the top level may begin."""

LONGEST = 110
"""Characters of a message of Python's that are handed on: of an integer of many digits it says how to allow more."""

PYTHON_2 = r"^\s*(?:print\s+[^\s(=]|exec\s+[^\s(=]|raise\s+\w+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)|<>|\b0\d+[lL]?\b"
"""What a line of Python 2 looks like that Python 3 refuses."""


class Unparsable(Exception):
    """Why a program cannot be parsed, and where: row and column from 1."""

    def __init__(self, message: str, row: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.row, self.column = message, row, column


def tree_of(source: str) -> ast.Module:
    """Python's own tree of a program; raises Unparsable. Nothing is executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the program's own, such as invalid escapes
            return ast.parse(source)
    except SyntaxError as error:
        raise _unparsable(error, source) from None
    except (RecursionError, MemoryError):
        raise Unparsable("cannot be parsed: nested too deeply, for Python itself too") from None
    except ValueError as error:  # a null character, a number of too many digits
        raise Unparsable(f"cannot be parsed: {str(error).partition(':')[0]}") from None


def _unparsable(error: SyntaxError, source: str) -> Unparsable:
    row, column = max(error.lineno or 1, 1), max(error.offset or 1, 1)
    lines = split_lines(source)
    line = lines[row - 1] if row <= len(lines) else ""
    hint = ", or is this Python 2?" if re.search(PYTHON_2, line) else ""
    message = error.msg if len(error.msg) <= LONGEST else error.msg[: LONGEST - 3] + "..."
    return Unparsable(f"cannot be parsed: {message}{hint}", row, column)


class Source:
    """A program's text and its tree, which is made once, when somebody first asks for it."""

    def __init__(self, code: str) -> None:
        self.code = code

    @property
    def module(self) -> cst.Module:
        """The syntax tree; raises Unparsable, each time."""
        found = self._parsed
        if isinstance(found, Unparsable):
            raise found
        return found

    @cached_property
    def _parsed(self) -> cst.Module | Unparsable:
        try:
            return parse(self.code)
        except Unparsable as error:
            return error


def parse(source: str) -> cst.Module:
    """The syntax tree of a program, or of its beginning where it is very long. Raises Unparsable.

    `module.text.code` is the text that the tree is of.
    """
    if len(source) <= LARGEST:
        return _built(source)
    starts = [match.start() for match in re.compile(TOP_LEVEL).finditer(source, 0, LARGEST)]
    source = source[: starts[-1] if starts else 0]
    try:
        return _built(source)
    except Unparsable:  # cut in the middle of a text
        raise Unparsable(f"is too long, and its first {LARGEST:,} characters are no program") from None


def _built(source: str) -> cst.Module:
    """The syntax tree of a text. Nothing is looked for that could be given up meanwhile: a tree has no circles, and
    going through a growing one again and again takes as long as making it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return build(tree_of(source), Text(source))
    finally:
        if enabled:
            gc.enable()
