"""Places and texts of nodes."""

from __future__ import annotations

import ast
from pathlib import Path

import fastlstm_lint
import pytest
from fastlstm_lint import cst
from fastlstm_lint.finding import Place
from fastlstm_lint.nodes import code_of, walk, without_argument
from fastlstm_lint.parsing import parse
from fastlstm_lint.positions import Positions
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER
from fastlstm_lint.source import split_lines

ODD = """\
# a comment
\"\"\"A text
of two lines.\"\"\"

@first(1)
# between
@second(
    2)
async def run(a, b=[
        1, 2], *, c: int = 3) -> None:
    é = "ü", a; ü = (b,
  c); elif_ = 1
    a = (b,
                c); d = (e,
    f)
    if a and (
            b): é(a,
        b)
    elif_x = é
    if é: pass
    elif f(ü, b) == 3:
        g(a,
          b)
    else:
        async with open(a) as d, e(
                c): pass
    try:
        h(a)
    except (K, L(1)) as error:
        i(error)
    else: j(1)
    finally:
        async for k in m(1): n(k)
    while o(1):
        p(1)
    else:
        q(1)
    match r(1):
        case [s, T(u=1)] if v(s):
            w(1); y(2)
    return lambda z: z \\
        (1)


class A(B, metaclass=C(1)):
\tdef one(self): return {
\t\t1: [x for x in y(1)]}
"""


def sources() -> list[str]:
    programs = [HEADER + case.code for rule in load_rules() for case in (*rule.invalid, *rule.valid)]
    files = sorted(Path(fastlstm_lint.__file__).parent.rglob("*.py"))
    return [
        ODD,
        ODD.replace("\n", "\r\n"),
        "\n\n" + ODD,
        *programs[::8],
        *(path.read_text() for path in files[::3] if path.stat().st_size > 2_000),
    ]


@pytest.mark.parametrize("source", sources())
def test_the_text_at_the_place_of_a_node_is_the_node(source: str) -> None:
    """Read alone, it is what Python's parser made of it in the program."""
    module = parse(source)
    positions = Positions(module)
    lines = split_lines(source)
    checked = 0
    # Before 3.12 Python does not say where the parts of an f-string are.
    inside = {id(part) for node in walk(module) if isinstance(node, cst.FormattedString) for part in walk(node)}
    for node in walk(module):
        if isinstance(node, (cst.BaseExpression, cst.BaseStatement)) and id(node) not in inside:
            found = positions.find(node)
            assert found is not None
            start, end = found
            rows = lines[start.row - 1 : end.row]
            rows[-1] = rows[-1][: end.column - 1]
            rows[0] = rows[0][start.column - 1 :]
            text = "".join(rows)
            if isinstance(node, cst.Name):
                assert text == node.value
            elif isinstance(node, cst.BaseExpression):
                assert read_alone(node, text) == ast.dump(node.at)
            else:
                assert text.startswith((*STATEMENTS[type(node)], "@") if type(node) in STATEMENTS else text)
            checked += 1
    assert checked > 3


def read_alone(node: cst.BaseExpression, text: str) -> str:
    """Python's tree of an expression, however it is used; a comprehension brings its parentheses."""
    alone: ast.AST
    if isinstance(node, cst.StarredElement):
        alone = ast.parse(f"[{text}]", mode="eval").body.elts[0]  # type: ignore[attr-defined]
    else:
        alone = ast.parse(f"({text}\n)", mode="eval").body
    for each in [*ast.walk(alone), *ast.walk(node.at)]:
        if hasattr(each, "ctx"):  # whether it is stored to is not said by its text
            each.ctx = ast.Load()
    return ast.dump(alone)


STATEMENTS: dict[type, tuple[str, ...]] = {
    cst.FunctionDef: ("def", "async def"),
    cst.ClassDef: ("class",),
    cst.If: ("if", "elif"),
    cst.For: ("for", "async for"),
    cst.While: ("while",),
    cst.With: ("with", "async with"),
    cst.Try: ("try",),
    cst.Match: ("match",),
    cst.Return: ("return",),
    cst.Import: ("import",),
    cst.ImportFrom: ("from",),
}


def test_of_all_nodes_at_a_place_the_innermost_comes_first() -> None:
    source = "é = f(a.bc, d=[e])\ndef g(h: i = j) -> k: return h\n"
    positions = Positions(parse(source))

    def at(row: int, column: int) -> str:
        return " ".join(f"{type(node).__name__}:{code_of(node)}" for node in positions.nodes_at(Place(row, column)))

    assert at(1, 1) == "Name:é"
    assert at(1, 9) == "Name:bc Attribute:a.bc Call:f(a.bc, d=[e])"
    assert at(1, 16) == "Name:e List:[e] Call:f(a.bc, d=[e])"
    assert at(2, 7) == "Name:h Param:h: i"
    assert at(2, 14) == "Name:j"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("f(a, b=1)", "f(a)"),
        ("f(b=1)", "f()"),
        ("f(b=1,)", "f()"),
        ("f((a), b=(1))", "f((a))"),
        ("f((a)  , b=1,)", "f((a)  ,)"),
        ("f(b=1, c=2)", "f(c=2)"),
        ("f(*a, b=1, **c)", "f(*a, **c)"),
        ("f(\n    a,\n    b=1,\n)", "f(\n    a,\n)"),
    ],
)
def test_a_call_without_an_argument(given: str, left: str) -> None:
    (call,) = [node for node in walk(parse(given)) if isinstance(node, cst.Call)]
    at = next(i for i, each in enumerate(call.args) if each.keyword is not None and each.keyword.value == "b")
    assert without_argument(call, at) == left


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = (a + b) * c", "(a + b)"),
        ("x = f(a + b)", "a + b"),
        ("x = f((a + b))", "(a + b)"),
        ("x = c if (a + b) else d", "(a + b)"),
        ("x = (\n    a +\n    b\n)", "(a +\n    b)"),
        ("x = [a + b]", "a + b"),
    ],
)
def test_the_text_of_an_expression_has_the_parentheses_that_it_stands_in(source: str, text: str) -> None:
    sums = [node for node in walk(parse(source)) if isinstance(node, cst.BinaryOperation)]
    assert code_of(next(each for each in sums if isinstance(each.operator, cst.Add))) == text


def test_a_node_of_another_file_has_no_place() -> None:
    positions = Positions(parse("f(x)\n"))
    other = parse("f(x)\n").body[0]
    assert positions.find(other) is None
    assert positions.span(other) == (Place(1, 1), Place(1, 1))
