"""FL206: h_n separated as (directions, layers) instead of (layers, directions)."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import DIRECTION, LAYER
from ..facts import Viewed
from ..nodes import code_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL206",
    name="state-view-axis-order",
    summary="h_n or c_n viewed as (directions, layers, ...) instead of (layers, directions, ...)",
    torch="silent",
    crashes=True,
    explanation="""
The rows of h_n are ordered layer by layer, and within a layer forward before backward: row `l*2 + d`. To separate
them, view as (layers, directions, batch, hidden). The other order has the same sizes and mixes layers with
directions.

    memory                    l0f l0b | l1f l1b
    view(layers, directions)  [l0: f b] [l1: f b]
    view(directions, layers)  [l0f l0b] taken for both layers' forward states, [l1f l1b] for their backward ones
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, num_layers=3, bidirectional=True)",
        "_, h_n = self.gru(x)\nreturn h_n.view(2, 3, x.size(1), 6)[:, -1]  # FL206",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, num_layers=3, bidirectional=True)",
        "_, h_n = self.gru(x)\nreturn h_n.view(3, 2, x.size(1), 6)[-1]",
    ),
    example_input="T=7 B=4 I=5",
    invalid=(
        Wrong(
            model(
                "self.layers = layers\nself.lstm = nn.LSTM(5, 6, layers, bidirectional=True)",
                "_, (h_n, c_n) = self.lstm(x)\nreturn c_n.view(2, self.layers, -1, 6)  # FL206",
                "layers=3",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, num_layers=2, bidirectional=True)",
                "_, h_n = self.gru(x)\nreturn h_n.view(2, 2, x.size(1), 6)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, num_layers=3, bidirectional=True)",
                "_, h_n = self.gru(x)\nreturn h_n.view(3, 2, -1, 6)[-1]",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Viewed)
def check(fact: Viewed) -> Iterator[Problem]:
    source = fact.source
    if source.rank != 3 or not source.axes[0].means(LAYER, DIRECTION) or len(fact.target) < 3:
        return
    layers, directions = (part.size for part in source.axes[0].parts)
    if layers == directions or fact.target[0] != directions or fact.target[1] != layers:
        return
    arguments = list(fact.call.args)
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if len(arguments) > 2 and isinstance(fact.call.func, cst.Attribute):
        texts = [code_of(each.value) for each in arguments]
        texts[:2] = texts[1::-1]
        # What follows reads (directions, layers), so that order is kept.
        edits = ((fact.node, f"{code_of(fact.call.func)}({', '.join(texts)}).transpose(0, 1)"),)
    yield Problem(
        fact.node,
        f"{code_of(fact.receiver)} is {source}, layers slowest; view({directions}, {layers}, ...) mixes layers with "
        f"directions. Use view({layers}, {directions}, ...)",
        None if source.origin is None else source.origin.layer,
        edits,
        "Take the layers apart first, then exchange the two axes",
    )
