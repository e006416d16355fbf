"""FL306: the rows of h_n taken for the batch."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, DIRECTION, LAYER
from ..facts import Applied, Viewed, Where
from ..nodes import code_of
from ..values import Tensor, int_of
from ._sizes import several
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL306",
    name="state-rows-not-batch",
    summary="h_n.view(-1, hidden) or h_n.squeeze(0) with more than one layer or direction",
    torch="silent",
    crashes=True,
    explanation="""
`h_n.view(-1, hidden)` and `h_n.squeeze(0)` give (batch, hidden) for one layer in one direction. With more, the view
has layers * directions * batch rows, one block of samples per layer, and squeeze(0) does nothing at all. Take the row
that is meant: `h_n[-1]` is the last layer's.

    memory            l0s0 l0s1 l0s2 | l1s0 l1s1 l1s2
    view(-1, hidden)  [l0s0] [l0s1] [l0s2] [l1s0] [l1s1] [l1s2]   six rows for three samples
    h_n[-1]                                [l1s0] [l1s1] [l1s2]
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, num_layers=2)\nself.head = nn.Linear(6, 3)",
        "_, h_n = self.gru(x)\nreturn self.head(h_n.view(-1, 6))  # FL306",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, num_layers=2)\nself.head = nn.Linear(6, 3)",
        "_, h_n = self.gru(x)\nreturn self.head(h_n[-1])",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)",
                "_, (h_n, c_n) = self.lstm(x)\nreturn h_n.squeeze(0)  # FL306",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "_, h_n = self.gru(x)\nreturn h_n.view(-1, 6), h_n.squeeze(0)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, 2)",
                "_, h_n = self.gru(x)\nreturn h_n.view(2, -1, 6)[-1], h_n[-1:].squeeze(0)",
            )
        ),
    ),
    fixable="unsafe",
)


def _rows(source: Tensor, where: Where) -> bool:
    """Whether a tensor is a state with more than one row."""
    if source.rank != 3 or source.origin is None or not source.axes[1].means(BATCH):
        return False
    first = source.axes[0]
    return set(first.meaning) <= {LAYER, DIRECTION} and several(first.size, where) is True


def _problem(node: cst.CSTNode, receiver: str, what: str, source: Tensor) -> Problem:
    assert source.origin is not None
    single = source.axes[0].means(LAYER)
    return Problem(
        node,
        f"{receiver} is {source}: {what}. The last layer's state is {receiver}[-1]",
        source.origin.layer,
        ((node, f"{receiver}[-1]"),) if single else (),
        "Take the last layer's state",
    )


@RULE.on(Viewed)
def check_view(fact: Viewed) -> Iterator[Problem]:
    source = fact.source
    if _rows(source, fact.where) and len(fact.target) == 2 and fact.target[1] == source.sizes[2]:
        rows = source.sizes[0] * source.sizes[1]
        if fact.target[0] == rows:
            what = f"{fact.method} gives {rows} rows, all samples of each layer in turn, not one per sample"
            yield _problem(fact.node, code_of(fact.receiver), what, source)


@RULE.on(Applied)
def check_squeeze(fact: Applied) -> Iterator[Problem]:
    source = fact.arguments.get("input")
    if fact.name != "squeeze" or not isinstance(source, Tensor) or not _rows(source, fact.where):
        return
    if int_of(fact.arguments.get("dim")) == 0:
        receiver = code_of(fact.nodes["input"])
        yield _problem(fact.node, receiver, "squeeze(0) leaves it as it is", source)
