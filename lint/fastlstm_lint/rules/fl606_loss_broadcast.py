"""FL606: a loss between (B, 1) and (B,)."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Applied, ModuleCalled
from ..values import Tensor, Value
from ._code import argument, as_operand
from .base import Problem, Right, Rule, Wrong

Pair = tuple[Value | None, Value | None]

LOSSES = frozenset(
    {"MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
)

HEAD = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 1)
        self.loss = nn.MSELoss()

    def forward(self, x):
        target = x[:, 0, :].sum(1)
        predicted = self.head(self.gru(x)[1][-1])
"""

RULE = Rule(
    code="FL606",
    name="loss-broadcast",
    summary="a regression loss of (batch, 1) against (batch,) compares every sample with every other",
    torch="warns",
    explanation="""
A prediction of shape (batch, 1) against a target of shape (batch,) is broadcast to (batch, batch): the loss compares
each prediction with every target, and the model learns the mean. torch warns. Squeeze the prediction's last axis.
""",
    wrong=HEAD + "        return self.loss(predicted, target)  # FL606\n",
    right=HEAD + "        return self.loss(predicted.squeeze(1), target)\n",
    invalid=(Wrong(HEAD + "        return F.mse_loss(predicted, target)  # FL606\n", "warns"),),
    valid=(
        Right(HEAD + "        return self.loss(predicted[:, 0], target) + F.mse_loss(predicted, target[:, None])\n"),
    ),
    fixable="unsafe",
    default=False,
    likely=True,
)


def _broadcast(a: Value | None, b: Value | None) -> bool:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or {a.rank, b.rank} != {1, 2}:
        return False
    long, short = (a, b) if a.rank == 2 else (b, a)
    return long.sizes[1] == 1 and long.sizes[0] == short.sizes[0] and long.sizes[0] != 1


def _problem(node: cst.CSTNode, values: Pair, nodes: list[cst.BaseExpression | None]) -> Iterator[Problem]:
    given, target = values
    if not _broadcast(given, target):
        return
    long = nodes[0 if isinstance(given, Tensor) and given.rank == 2 else 1]
    yield Problem(
        node,
        f"{given} against {target} is broadcast: every sample with every other",
        edits=() if long is None else ((long, f"{as_operand(long)}.squeeze(1)"),),
        fix="Take the axis of length 1 away",
    )


@RULE.on(ModuleCalled)
def check_module(fact: ModuleCalled) -> Iterator[Problem]:
    if fact.module.kind in LOSSES and fact.others:
        nodes = [argument(fact.call, 0, "input"), argument(fact.call, 1, "target")]
        yield from _problem(fact.node, (fact.input, fact.others[0]), nodes)


@RULE.on(Applied)
def check_function(fact: Applied) -> Iterator[Problem]:
    if fact.name in LOSSES:
        names = ("input", "target")
        values = (fact.arguments.get("input"), fact.arguments.get("target"))
        yield from _problem(fact.node, values, [fact.nodes.get(name) for name in names])
