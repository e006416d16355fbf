"""FL304: h_n[0] of a stack of layers."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import DIRECTION, LAYER
from ..facts import Indexed
from ..nodes import code_of
from ..values import Value, int_of
from ._code import indices_of, plain_items, whole
from ._sizes import several
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL304",
    name="first-layer-state",
    summary="h_n[0] with num_layers > 1 is the state of the first layer",
    torch="silent",
    explanation="""
The rows of h_n go from the first layer to the last. In a stack, `h_n[0]` is the state of the first layer, which has
seen the input only; the summary that belongs to the output is `h_n[-1]` (with `h_n[-2]` when bidirectional).

    rows of h_n  l0 l1 l2
    h_n[0]       l0
    h_n[-1]            l2
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, num_layers=2)\nself.head = nn.Linear(6, 2)",
        "_, (h_n, c_n) = self.lstm(x)\nreturn self.head(h_n[0])  # FL304",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, num_layers=2)\nself.head = nn.Linear(6, 2)",
        "_, (h_n, c_n) = self.lstm(x)\nreturn self.head(h_n[-1])",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, layers, bidirectional=True)",
                """
_, h_n = self.gru(x)
forward = h_n[0, :, :]  # FL304
backward = h_n[1, :, :]  # FL304
return torch.cat((forward, backward), dim=1)
""",
                "layers=3",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True)",
                "_, h_n = self.gru(x)\nreturn torch.cat((h_n[0], h_n[1]), dim=1)",
            )
        ),
        Right(model("self.gru = nn.GRU(5, 6, 2)", "_, h_n = self.gru(x)\nreturn h_n[0] + h_n[1], h_n[-1]")),
        Right(model("self.gru = nn.GRU(5, 6, layers)", "_, h_n = self.gru(x)\nreturn h_n[0]", "layers=1")),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    origin = source.origin
    if origin is None or origin.role not in ("h_n", "c_n") or source.rank != 3 or not fact.where.in_class:
        return
    rows, at = source.axes[0], int_of(items[0])
    yield from _of_two_layers(fact, at, items)
    if rows.meaning[0] != LAYER or several(rows.parts[0].size, fact.where) is not True or at not in (0, 1):
        return
    if not all(whole(item) for item in items[1:]):
        return
    assert isinstance(fact.node, cst.Subscript)
    name = code_of(fact.node.value)
    both = rows.means(LAYER, DIRECTION)
    if both and rows.parts[1].size != 2:
        return
    if (at == 1 and not both) or indices_of(fact.where, name) - ({"0", "1"} if both else {"0"}):
        return
    index = at - 2 if both else -1
    rest = "".join(", :" for _ in fact.node.slice[1:])
    right = f"{name}[{index}{rest}]"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} is the state of the first layer: {name} is {source}. The last layer's is {right}",
        origin.layer,
        ((fact.node, right),),
        "Take the last layer's state",
    )


def _of_two_layers(fact: Indexed, at: int | None, items: tuple[Value, ...]) -> Iterator[Problem]:
    """`h_n[1]` beside `h_n[2]`: the backward state of a layer and the forward one of the next."""
    source = fact.source
    rows = source.axes[0]
    if at is None or at < 1 or at % 2 == 0 or not rows.means(LAYER, DIRECTION) or rows.parts[1].size != 2:
        return
    assert isinstance(fact.node, cst.Subscript)
    name = code_of(fact.node.value)
    if not all(whole(item) for item in items[1:]) or indices_of(fact.where, name) != {str(at), str(at + 1)}:
        return
    yield Problem(
        fact.node,
        f"{name}[{at}] and {name}[{at + 1}] are of two layers: {name} is {source}, directions fastest. The last "
        f"layer's are {name}[-2] and {name}[-1]",
        None if source.origin is None else source.origin.layer,
    )
