"""Parsing a stranger's program: first by Python's own parser, which bounds how deep it nests, then by libcst.

libcst's parser would end the process on deep nesting, and takes time that grows with the square of the length of a
chain (`a.b().c()...`, `x + y + ...`): where that would be seconds, the worst expressions are left out before.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .source import split_lines

if TYPE_CHECKING:
    import libcst as cst

LARGEST = 1_000_000
"""Characters of the largest program that is looked at; beyond is data. Python's tree of it takes 250 MB."""

TOP_LEVEL = re.compile(r"^(?=[A-Za-z_@#])", re.MULTILINE)
"""Where a statement at the top level may begin."""

LONGEST = 110
"""Characters of a message of Python's that are handed on: of an integer of many digits it says how to allow more."""

TOKENS = 60_000
"""Words and signs that libcst is given of one file, about 6,000 lines: they take 200 MB, and two seconds."""

TOKEN = re.compile(r"\w+|[^\w \t]")

LONG = 400
"""Characters of a statement from which on it is looked at for chains."""

HEIGHT = 20
"""Levels of an expression that cost next to nothing; hardly any real one has more."""

COST = 500_000
"""What the chains of one file may cost, in nodes copied by libcst: about one second."""

BRACKETED = 10
"""What a node between brackets costs beside one in a chain, measured with 190 nested calls and a chain of 900."""

PYTHON_2 = re.compile(
    r"^\s*(?:print\s+[^\s(=]|exec\s+[^\s(=]|raise\s+\w+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)|<>|\b0\d+[lL]?\b"
)
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
    hint = ", or is this Python 2?" if PYTHON_2.search(line) else ""
    message = error.msg if len(error.msg) <= LONGEST else error.msg[: LONGEST - 3] + "..."
    return Unparsable(f"cannot be parsed: {message}{hint}", row, column)


def parse(source: str) -> tuple[cst.Module, str]:
    """libcst's tree of a program, and the text that it is of: all of it, or its beginning. Raises Unparsable.

    Every place in the tree is that of `source`; expressions that cost too much may be names in it.
    """
    import libcst as cst

    if len(source) > LARGEST:
        starts = [match.start() for match in TOP_LEVEL.finditer(source, 0, LARGEST)]
        try:
            tree = tree_of(source := source[: starts[-1] if starts else 0])
        except Unparsable:  # cut in the middle of a text
            raise Unparsable(f"is too long, and its first {LARGEST:,} characters are no program") from None
    else:
        tree = tree_of(source)
    text = beginning(source, tree)
    try:
        return cst.parse_module(without_chains(text, tree)), text
    except cst.ParserSyntaxError as error:
        raise Unparsable("cannot be parsed by libcst, though by Python", error.raw_line, error.raw_column + 1) from None
    except (RecursionError, MemoryError):
        raise Unparsable("cannot be parsed: nested too deeply") from None
    except Exception as error:  # libcst's native parser has errors of its own
        raise Unparsable(f"cannot be parsed by libcst: {error}") from None


def beginning(source: str, tree: ast.Module) -> str:
    """The text up to the last top-level statement within TOKENS; all of it in nearly every file."""
    if len(source) <= TOKENS or len(TOKEN.findall(source)) <= TOKENS:
        return source
    lines = split_lines(source)
    left, row = TOKENS, 0
    for statement in tree.body:
        end = statement.end_lineno or statement.lineno
        left -= len(TOKEN.findall("".join(lines[row:end])))
        if left < 0:
            break
        row = end
    return "".join(lines[:row])


def without_chains(source: str, tree: ast.Module) -> str:
    """The text with `_` and blanks in the place of the expressions that libcst would take too long for."""
    lines = source.encode().splitlines(keepends=True) if not source.isascii() else None
    offsets = _offsets(source)
    costly = [(cost, each) for each in _long_expressions(tree, offsets) if (cost := _cost(each)) > 0]
    total = sum(cost for cost, _ in costly)
    if total <= COST:
        return source
    cuts: list[tuple[int, int]] = []
    for cost, each in sorted(costly, key=lambda pair: -pair[0]):
        if total <= COST:
            break
        total -= cost
        cuts.append((_at(offsets, lines, each.lineno, each.col_offset), _end(offsets, lines, each)))
    parts, last = [], 0
    for start, end in sorted(cuts):
        parts += [source[last:start], _blank(source[start:end])]
        last = end
    return "".join([*parts, source[last:]])


def _blank(text: str) -> str:
    """An expression as long as `text`, with the same line ends."""
    if "\n" not in text and "\r" not in text:
        return "_" + " " * (len(text) - 1)
    spaces = re.sub(r"[^\r\n]", " ", text[1:-1])
    at = spaces.find(" ")
    return f"({spaces[:at]}_{spaces[at + 1 :]})"


def _offsets(source: str) -> list[int]:
    """Where each line begins, as Python counts lines."""
    found = [0]
    for line in split_lines(source):
        found.append(found[-1] + len(line))
    return found


def _at(offsets: list[int], lines: list[bytes] | None, row: int, column: int) -> int:
    """A place of Python's tree, whose columns count bytes, in the text."""
    if lines is not None:
        column = len(lines[row - 1][:column].decode("utf-8", "replace"))
    return offsets[row - 1] + column


def _end(offsets: list[int], lines: list[bytes] | None, each: ast.expr) -> int:
    return _at(offsets, lines, each.end_lineno or each.lineno, each.end_col_offset or each.col_offset)


def _long_expressions(tree: ast.Module, offsets: list[int]) -> Iterator[ast.expr]:
    """The outermost expressions of statements that are long enough to hold a long chain."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if getattr(node, "end_lineno", 0) >= len(offsets):  # it belongs to the end that is left out
            continue
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                if (
                    offsets[(child.end_lineno or 1) - 1] + (child.end_col_offset or 0) - offsets[child.lineno - 1]
                    > LONG
                ):
                    yield child
            else:
                stack.append(child)


def _cost(root: ast.expr) -> int:
    """How many nodes libcst copies on its way through an expression, the first levels not counted."""
    order: list[tuple[ast.AST, int]] = [(root, -1)]
    weights = [1]
    for at, (node, _) in enumerate(order):
        fields = [node.value] if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)) else []
        if isinstance(node, ast.Call):
            fields = [node.func]
        in_chain = {id(each) for each in fields} if fields else None
        bracketed = isinstance(node, (ast.Call, ast.Subscript, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp))
        for child in ast.iter_child_nodes(node):
            order.append((child, at))
            weights.append(BRACKETED if bracketed and (in_chain is None or id(child) not in in_chain) else 1)
    sizes, heights = [1] * len(order), [0] * len(order)
    cost = 0
    for at in range(len(order) - 1, 0, -1):
        parent = order[at][1]
        sizes[parent] += sizes[at]
        heights[parent] = max(heights[parent], heights[at] + 1)
        if heights[at] > HEIGHT:
            cost += weights[at] * sizes[at]
    return cost
