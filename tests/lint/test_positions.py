"""Places of nodes, against those of libcst's own provider."""

from __future__ import annotations

from pathlib import Path

import fastlstm_lint
import libcst as cst
import pytest
from fastlstm_lint.finding import Place
from fastlstm_lint.nodes import walk
from fastlstm_lint.positions import Positions
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER
from libcst.metadata import MetadataWrapper, PositionProvider

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
def test_every_node_is_where_libcst_says(source: str) -> None:
    module = cst.parse_module(source)
    positions = Positions(module, source)
    table = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    checked = 0
    for node in walk(module):
        if isinstance(
            node, (cst.BaseExpression, cst.Arg, cst.Param, cst.BaseSmallStatement, cst.BaseCompoundStatement)
        ):
            span = table[node]
            start, end = Place(span.start.line, span.start.column + 1), Place(span.end.line, span.end.column + 1)
            assert positions.find(node) == (start, end), cst.Module([]).code_for_node(node)
            checked += 1
    assert checked > 3


def test_a_text_that_python_cannot_parse_has_places_too() -> None:
    source = "print(x)\nnonlocal x\nf(y)\n"
    module = cst.parse_module(source)
    (call,) = [node for node in walk(module.body[2]) if isinstance(node, cst.Call)]
    assert Positions(module, "print x").find(call) == (Place(3, 1), Place(3, 5))


def test_a_node_of_another_file_has_no_place() -> None:
    positions = Positions(cst.parse_module("f(x)\n"), "f(x)\n")
    assert positions.find(cst.Name("f")) is None
    assert positions.span(cst.Name("f")) == (Place(1, 1), Place(1, 1))
