"""What several rules ask about the text around a fact: names, indices, and calls with other arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import cst
from ..facts import Fact, Indexed, Where
from ..layers import Recurrent
from ..nodes import code_of, walk
from ..values import Const, Range, Value

COMMENT = re.compile(r"#.*")


def whole(item: Value) -> bool:
    """Whether an index is a bare `:`."""
    return isinstance(item, Range) and item.start is None and item.stop is None and item.step is None


def plain_items(fact: Indexed) -> tuple[Value, ...]:
    """The indices written, with a leading `...` spelt out as `:`."""
    items = fact.items
    if Const(...) in items:
        at = items.index(Const(...))
        missing = fact.source.rank - (len(items) - 1)
        items = (*items[:at], *[Range(None, None, None)] * missing, *items[at + 1 :])
    return items


def indices_of(where: Where, receiver: str) -> set[str]:
    """The first indices with which `receiver` is indexed in the enclosing function, as text; comments are left out."""
    text = "" if where.node is None else COMMENT.sub("", code_of(where.node))
    return set(re.findall(re.escape(receiver) + r"\[\s*([^\],:\s]+)", text))


def names_in(node: cst.CSTNode) -> set[str]:
    """Every name mentioned, and `self.x` for attributes of self."""
    found: set[str] = set()
    for each in walk(node):
        if isinstance(each, cst.Attribute):
            found.add(code_of(each))
        elif isinstance(each, cst.Name):
            found.add(each.value)
    return found


def parameters_of(function: cst.FunctionDef) -> set[str]:
    """The names of a function's parameters, `self` left out."""
    params = function.params
    ordered = (*params.posonly_params, *params.params, *params.kwonly_params)
    return {each.name.value for each in ordered} - {"self"}


def optional_of(function: cst.CSTNode | None) -> set[str]:
    """The names of a function's parameters that have a default."""
    if not isinstance(function, cst.FunctionDef):
        return set()
    params = function.params
    ordered = (*params.posonly_params, *params.params, *params.kwonly_params)
    return {each.name.value for each in ordered if each.default is not None}


def bound_in(node: cst.CSTNode) -> set[str]:
    """Every name (and `self.x`) that is assigned somewhere below a node."""
    found: set[str] = set()
    for each in walk(node):
        targets: list[cst.CSTNode] = []
        if isinstance(each, cst.Assign):
            targets = [target.target for target in each.targets]
        elif isinstance(each, (cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor)):
            targets = [each.target]
        for target in targets:
            found |= {code_of(leaf) for leaf in leaves(target)}
    return found


def changed_in(node: cst.CSTNode) -> set[str]:
    """What is assigned somewhere below a node, or changed in place: `x[0] = 1`, `x.fill_(1)`."""
    found = bound_in(node)
    for each in walk(node):
        if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute):
            word = each.func.attr.value
            if word.endswith("_") and not word.startswith("_"):
                found.add(code_of(each.func.value))
        elif isinstance(each, cst.AssignTarget):
            found |= {code_of(leaf.value) for leaf in leaves(each.target) if isinstance(leaf, cst.Subscript)}
    return found


def leaves(target: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The single targets of an assignment, tuples taken apart."""
    if isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from leaves(element.value)
    else:
        yield target


def loaded_in(node: cst.CSTNode) -> set[str]:
    """Every name (and `self.x`) that is read somewhere below a node."""
    stored = {id(leaf) for each in walk(node) if isinstance(each, cst.AssignTarget) for leaf in leaves(each.target)}
    found: set[str] = set()
    for each in walk(node):
        if id(each) in stored or not isinstance(each, (cst.Name, cst.Attribute)):
            continue
        found.add(code_of(each))
    return found


def with_keyword(call: cst.Call, name: str, value: str) -> str:
    """The text of a call with a keyword argument set to `value`."""
    given = [argument for argument in call.args if argument.keyword is None or argument.keyword.value != name]
    texts = [code_of(argument) for argument in given]
    return f"{code_of(call.func)}({', '.join([*texts, f'{name}={value}'])})"


def argument(call: cst.Call, position: int, name: str) -> cst.BaseExpression | None:
    """The expression given for a parameter."""
    for each in call.args:
        if each.keyword is not None and each.keyword.value == name:
            return each.value
    plain = [each for each in call.args if each.keyword is None and not each.star]
    return plain[position].value if position < len(plain) else None


def last_word(node: cst.CSTNode | None) -> str:
    """The last name of `a.b.c`; empty for anything else."""
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def as_operand(node: cst.BaseExpression) -> str:
    """The text of an expression, in parentheses where something is to follow that binds more tightly."""
    tight = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Tuple, cst.List)
    text = code_of(node)
    return text if isinstance(node, tight) or (text.startswith("(") and text.endswith(")")) else f"({text})"


def assignment_of(function: cst.CSTNode | None, value: cst.CSTNode) -> cst.Assign | None:
    """The statement that assigns an expression, as it stands, to names."""
    for each in () if function is None else walk(function):
        if isinstance(each, cst.Assign) and each.value is value:
            return each
    return None


def only_use(fact: Fact, given: cst.BaseExpression | None) -> cst.BaseExpression | None:
    """The expression behind an argument: itself, or what its name is bound to where nothing else reads that name."""
    if not isinstance(given, cst.Name) or fact.where.node is None:
        return given
    bound = [
        each
        for each in walk(fact.where.node)
        if isinstance(each, cst.Assign) and any(code_of(target.target) == given.value for target in each.targets)
    ]
    return bound[0].value if len(bound) == 1 and mentions(fact.where.node, given.value) == 2 else None


def mentions(function: cst.CSTNode, name: str) -> int:
    """How often a name stands in a function."""
    return sum(isinstance(each, cst.Name) and each.value == name for each in walk(function))


def add_batch_first(layer: Recurrent) -> tuple[tuple[cst.CSTNode, str], ...]:
    """The edit that makes a sequence-first layer batch first, where its call can take one keyword more."""
    node = layer.node
    if layer.batch_first is not False or not isinstance(node, cst.Call):
        return ()
    if len([each for each in node.args if each.keyword is None]) > 4 or any(each.star for each in node.args):
        return ()
    return ((node, with_keyword(node, "batch_first", "True")),)
