"""FL502: a state carried across backward()."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Unpacked
from ..nodes import code_of, walk
from ..values import Tensor, Tup, Value, resolve
from ._code import bound_in, leaves, names_in
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL502",
    name="state-not-detached",
    summary="a state is carried from one backward() to the next without detach()",
    torch="crash",
    explanation="""
Carrying the state from chunk to chunk is truncated back-propagation through time, if the state is cut off from the
graph of the chunk before: `h = h.detach()`. Without that, the second `backward()` runs into the first one's graph,
which is gone, and torch raises. (`retain_graph=True` silences it, and makes every step slower than the one before.)
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6)",
        """
h = torch.zeros(1, x.size(1), 6)
for chunk in x.split(2):
    output, h = self.gru(chunk, h)  # FL502
    output.sum().backward()
return h
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6)",
        """
h = torch.zeros(1, x.size(1), 6)
for chunk in x.split(2):
    output, h = self.gru(chunk, h.detach())
    output.sum().backward()
return h
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
h = c = torch.zeros(1, x.size(1), 6)
for step in range(3):
    output, (h, c) = self.lstm(x, (h, c))  # FL502
    loss = output.mean()
    loss.backward()
return output
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
state = None
for step in range(3):
    output, state = self.lstm(x, state)  # FL502
    output.sum().backward()
return output
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            """
class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6)

    def forward(self, x, state):
        output, state = self.lstm(x, state)
        return output, (state[0].detach(), state[1].detach())


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = Step()

    def forward(self, x):
        state = None
        for chunk in x.split(2):
            output, state = self.step(chunk, state)
            output.sum().backward()
        return output
"""
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
h = c = torch.zeros(1, x.size(1), 6)
for step in range(3):
    h, c = h.detach(), c.detach()
    output, (h, c) = self.lstm(x, (h, c))
    output.mean().backward()
return output
""",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
for step in range(3):
    h = torch.zeros(1, x.size(1), 6)
    output, h = self.gru(x, h)
    output.mean().backward()
return output
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Unpacked)
def check(fact: Unpacked) -> Iterator[Problem]:
    loop = fact.where.loops[-1] if fact.where.loops else None
    if not isinstance(loop, (cst.For, cst.While)) or not isinstance(fact.source, cst.Call):
        return
    given: set[str] = set()
    for argument in fact.source.args:
        given |= names_in(argument.value)
    carried = [name for name in _states(fact.target, fact.value) if name in given]
    if not carried:
        return
    text = code_of(loop.body)
    if ".backward(" not in text or "detach" in text or "retain_graph" in text or ".data" in text or "repackage" in text:
        return
    others = [each for each in loop.body.body if not _holds(each, fact.node)]
    if any(name in bound_in(each) for each in others for name in carried):
        return
    yield Problem(
        fact.node,
        f"{' and '.join(carried)} is carried from one backward() to the next with the graph of the step before; "
        f"pass {carried[0]}.detach()",
        edits=_detached(fact, set(carried)),
        fix="Cut the state off from the graph of the step before",
    )


def _detached(fact: Unpacked, carried: set[str]) -> tuple[tuple[cst.CSTNode, str], ...]:
    """The states that are passed, detached; one that may be None at first is asked."""
    assert isinstance(fact.source, cst.Call)
    pairs = dict(zip_leaves(fact.target, fact.value))
    edits: list[tuple[cst.CSTNode, str]] = []
    for argument in fact.source.args:
        for leaf in leaves(argument.value):
            name = code_of(leaf)
            if name not in carried or argument.star:
                continue
            text = f"tuple(each.detach() for each in {name})" if isinstance(pairs[name], Tup) else f"{name}.detach()"
            edits.append((leaf, f"None if {name} is None else {text}" if _may_be_none(fact, name) else text))
    return tuple(edits)


def _may_be_none(fact: Unpacked, name: str) -> bool:
    """Whether the function sets a name to None somewhere; at a module's top level that is not seen."""
    if fact.where.node is None:
        return True
    for each in walk(fact.where.node):
        if isinstance(each, cst.Param) and each.name.value == name:
            return True
        if not isinstance(each, cst.Assign) or code_of(each.value) != "None":
            continue
        if any(code_of(leaf) == name for target in each.targets for leaf in leaves(target.target)):
            return True
    return "." in name


def zip_leaves(target: cst.CSTNode, value: Value) -> list[tuple[str, Value]]:
    """The names of an assignment's targets with the values they get."""
    value = resolve(value)
    if isinstance(target, (cst.Tuple, cst.List)) and isinstance(value, Tup):
        pairs = zip(target.elements, value.items, strict=False)
        return [each for element, item in pairs for each in zip_leaves(element.value, item)]
    return [(code_of(leaf), value) for leaf in leaves(target)]


def _is_state(value: Tensor) -> bool:
    return value.origin is not None and value.origin.role in ("h_n", "c_n", "h", "c")


def _states(target: cst.CSTNode, value: Value) -> list[str]:
    """The names that get a recurrent state."""
    if (
        isinstance(target, (cst.Tuple, cst.List))
        and isinstance(value, Tup)
        and len(target.elements) == len(value.items)
    ):
        return [
            name
            for element, item in zip(target.elements, value.items, strict=True)
            for name in _states(element.value, resolve(item))
        ]
    if isinstance(value, Tensor) and "detached" not in value.traits and _is_state(value):
        return [code_of(leaf) for leaf in leaves(target)]
    if isinstance(value, Tup) and value.items and isinstance(target, (cst.Name, cst.Attribute)):
        inner = [_states(target, resolve(item)) for item in value.items]
        return [code_of(target)] if all(inner) else []
    return []


def _holds(statement: cst.CSTNode, node: cst.CSTNode) -> bool:
    return any(each is node for each in walk(statement))
