"""FL604: classes last in front of a loss that wants them second."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, FEATURE, TIME
from ..facts import Applied, ModuleCalled
from ..nodes import code_of
from ..signatures.dtypes import LONG
from ..tensors import GUESSED
from ..values import Tensor, Value
from .base import Problem, Right, Rule, Wrong

HEAD = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        scores = self.head(self.gru(x)[0])
"""

RULE = Rule(
    code="FL604",
    name="class-axis",
    summary="CrossEntropyLoss on (batch, time, classes): the classes must be axis 1",
    torch="crash",
    explanation="""
`nn.CrossEntropyLoss` and `nn.NLLLoss` take (batch, classes, ...), with the classes second. A recurrent head gives
(batch, time, classes): the loss then takes the steps for classes. It raises when the target's shape does not fit.
Transpose, or flatten batch and time into one axis.
""",
    wrong=HEAD + "        return self.loss(scores, torch.zeros(4, 7, dtype=torch.long))  # FL604\n",
    right=HEAD + "        return self.loss(scores.transpose(1, 2), torch.zeros(4, 7, dtype=torch.long))\n",
    invalid=(
        Wrong(
            HEAD + "        return F.cross_entropy(scores, torch.zeros(4, 7, dtype=torch.long))  # FL604\n",
            "crash",
        ),
    ),
    valid=(
        Right(
            HEAD
            + "        target = torch.zeros(4, 7, dtype=torch.long)\n"
            + "        flat = self.loss(scores.reshape(-1, 3), target.view(-1))\n"
            + "        return flat + self.loss(scores.permute(0, 2, 1), target)\n"
        ),
    ),
    fixable="unsafe",
)


def _problems(
    node: cst.CSTNode, value: Value | None, target: Value | None, given: cst.BaseExpression | None
) -> Iterator[Problem]:
    if not isinstance(value, Tensor) or value.rank != 3:
        return
    whole = isinstance(target, Tensor) and target.rank == 2 and target.dtype == LONG
    if GUESSED in value.traits and not whole:
        return  # one sequence alone has its classes on axis 1
    if isinstance(target, Tensor) and target.sizes in (value.sizes, (value.sizes[0], value.sizes[2])):
        return  # as the loss wants it, whatever the axes are called
    if value.axes[2].meaning != (FEATURE,) or value.axes[1].meaning not in ((TIME,), (BATCH,)):
        return
    simple = isinstance(given, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) and value.axes[1].means(TIME)
    yield Problem(
        node,
        f"the loss takes axis 1 for the classes, this is {value} with the classes last",
        edits=((given, f"{code_of(given)}.transpose(1, 2)"),) if simple and given is not None else (),
        fix="Move the classes to axis 1",
    )


@RULE.on(ModuleCalled)
def check_module(fact: ModuleCalled) -> Iterator[Problem]:
    if fact.module.kind in ("CrossEntropyLoss", "NLLLoss") and fact.call.args:
        target = fact.others[0] if fact.others else None
        yield from _problems(fact.node, fact.input, target, fact.call.args[0].value)


@RULE.on(Applied)
def check_function(fact: Applied) -> Iterator[Problem]:
    if fact.name in ("cross_entropy", "nll_loss"):
        yield from _problems(
            fact.node, fact.arguments.get("input"), fact.arguments.get("target"), fact.nodes.get("input")
        )
