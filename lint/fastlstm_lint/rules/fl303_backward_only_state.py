"""FL303: h_n[-1] alone of a bidirectional layer."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import DIRECTION, LAYER
from ..facts import Indexed
from ..nodes import code_of
from ..values import int_of
from ._code import indices_of, plain_items, whole
from ._sizes import several
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL303",
    name="backward-only-state",
    summary="h_n[-1] of a bidirectional layer is the backward direction only",
    torch="silent",
    explanation="""
The last two rows of a bidirectional layer's h_n are the forward and the backward state of the last layer. `h_n[-1]`
alone is the backward one: the forward direction is computed, and thrown away. Join both, `torch.cat((h_n[-2],
h_n[-1]), dim=1)`, or add them where the size must stay.

    rows of h_n           l0f l0b | l1f l1b
    h_n[-1]                             l1b
    h_n[-2] and h_n[-1]             l1f l1b
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, bidirectional=True)\nself.head = nn.Linear(6, 2)",
        "_, h_n = self.gru(x)\nreturn self.head(h_n[-1])  # FL303",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, bidirectional=True)\nself.head = nn.Linear(6, 2)",
        "_, h_n = self.gru(x)\nreturn self.head(h_n[-2] + h_n[-1])",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, 2, bidirectional=both)",
                "_, (hidden, _) = self.lstm(x)\nreturn hidden[-1, :, :]  # FL303",
                "both=True",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True)",
                "_, h_n = self.gru(x)\nreturn torch.cat([h_n[-2, :, :], h_n[-1, :, :]], dim=1)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, 2, bidirectional=True)",
                "_, h_n = self.gru(x)\nlast = h_n.view(2, 2, x.size(1), 6)[-1]\nreturn last[0] + last[-1]",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=both)",
                "_, h_n = self.gru(x)\nif self.gru.bidirectional:\n    return h_n[0] + h_n[-1]\nreturn h_n[-1]",
                "both=False",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    origin = source.origin
    if origin is None or origin.role not in ("h_n", "c_n") or source.rank != 3 or not fact.where.in_class:
        return
    rows = source.axes[0]
    if not rows.means(LAYER, DIRECTION) or several(rows.parts[1].size, fact.where) is not True:
        return
    if int_of(items[0]) != -1 or not all(whole(item) for item in items[1:]):
        return
    assert isinstance(fact.node, cst.Subscript)
    name = code_of(fact.node.value)
    if indices_of(fact.where, name) - {"-1"}:
        return
    rest = "".join(", :" for _ in fact.node.slice[1:])
    right = f"({name}[-2{rest}] + {name}[-1{rest}])"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} is the backward direction of the last layer only: {name} is {source}. "
        f"The forward one is {name}[-2]",
        origin.layer,
        ((fact.node, right),),
        "Add the forward direction's state",
    )
