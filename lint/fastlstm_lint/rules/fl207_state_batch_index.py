"""FL207: an index on the batch axis of a state."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, DIRECTION, LAYER
from ..facts import Indexed
from ..nodes import code_of
from ..values import int_of
from ._code import plain_items, whole
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL207",
    name="state-batch-index",
    summary="h_n[:, k] picks one sample of the batch, not a layer or a step",
    torch="silent",
    explanation="""
h_n is (layers * directions, batch, hidden), also when the layer is batch-first. `h_n[:, -1]` is the state of the last
*sample* in every layer. The last layer's state of every sample is `h_n[-1]`.

    memory      l0s0 l0s1 l0s2 | l1s0 l1s1 l1s2
    h_n[:, -1]            l0s2             l1s2
    h_n[-1]                      l1s0 l1s1 l1s2
""",
    wrong=model("self.gru = nn.GRU(5, 6, batch_first=True)", "_, h_n = self.gru(x)\nreturn h_n[:, -1]  # FL207"),
    right=model("self.gru = nn.GRU(5, 6, batch_first=True)", "_, h_n = self.gru(x)\nreturn h_n[-1]"),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, 2, batch_first=True)",
                "_, (h_n, c_n) = self.lstm(x)\nreturn h_n[:, -1, :]  # FL207",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(model("self.gru = nn.GRU(5, 6)", "_, h_n = self.gru(x)\nreturn h_n[-1], h_n[:, :2], h_n[-1, 0]")),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, 2, batch_first=True)",
                "_, h_n = self.gru(x)\nreturn h_n.transpose(0, 1)[:, -1]",
            )
        ),
        Right(model("self.gru = nn.GRU(5, 6)", "_, h_n = self.gru(x[:, :1])\nreturn h_n[:, 0]"), "T=7 B=4 I=5"),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    origin = source.origin
    if origin is None or origin.role not in ("h_n", "c_n") or source.rank != 3 or not fact.where.in_class:
        return
    rows, batch, _ = source.axes
    if not set(rows.meaning) <= {LAYER, DIRECTION} or not batch.means(BATCH) or batch.size == 1:
        return
    if len(items) < 2 or not whole(items[0]) or int_of(items[1]) != -1 or not all(whole(item) for item in items[2:]):
        return
    assert isinstance(fact.node, cst.Subscript)
    right = f"{code_of(fact.node.value)}[-1]"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} is the state of the last sample in every layer: {code_of(fact.node.value)} is {source}. "
        f"The last layer's state of every sample is {right}",
        origin.layer,
        ((fact.node, right),),
        "Take the last layer's state",
    )
