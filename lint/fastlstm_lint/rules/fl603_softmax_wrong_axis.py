"""FL603: softmax over the batch, or over an axis of size 1."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..facts import Applied, ModuleCalled
from ..tensors import GUESSED
from ..values import Tensor, Value, int_of
from ._code import last_word, only_use, optional_of
from ._flow import made_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL603",
    name="softmax-wrong-axis",
    summary="softmax over the batch axis, over an axis of size 1, or log-softmax of class scores over time",
    torch="silent",
    explanation="""
A softmax over the batch makes the samples compete: each sample's result depends on which others are in its batch.
Over an axis of size 1 it is 1 everywhere, whatever goes in: attention scores from `nn.Linear(hidden, 1)` must be
normalised over time, not over their last axis. And `log_softmax(scores, dim=1)`, right for (steps, classes), is over
time once the scores are (batch, steps, classes).
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.score = nn.Linear(6, 1)",
        """
output, _ = self.gru(x)
weights = F.softmax(self.score(output), dim=2)  # FL603
return (weights * output).sum(1)
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.score = nn.Linear(6, 1)",
        """
output, _ = self.gru(x)
weights = F.softmax(self.score(output), dim=1)
return (weights * output).sum(1)
""",
    ),
    example_proof="differs",
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "_, h_n = self.gru(x)\nreturn torch.softmax(h_n[-1], dim=0)  # FL603",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)\nself.norm = nn.LogSoftmax(dim=1)",
                "return self.norm(self.gru(x.transpose(0, 1))[0]).transpose(0, 1)  # FL603",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
                "samples, steps, _ = x.shape\nreturn F.log_softmax(self.head(self.gru(x)[0]), dim=1)  # FL603",
            ),
            "differs",
        ),
        Wrong(
            "from torch.functional import F\n"
            + model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
                "samples, steps, _ = x.shape\nreturn F.log_softmax(self.head(self.gru(x)[0]), dim=1)  # FL603",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.score = nn.Linear(6, 1)",
                """
output, h_n = self.gru(x)
weights = F.softmax(self.score(output).squeeze(2), dim=1)
scores = F.log_softmax(self.score(output), dim=1)
return torch.bmm(weights.unsqueeze(1), output).squeeze(1), F.softmax(h_n[-1], dim=1), F.softmax(output, 1), scores
""",
            )
        ),
    ),
    fixable="unsafe",
)


def _problem(node: cst.CSTNode, value: Tensor, dim: int, edit: cst.CSTNode | None, log: bool) -> Iterator[Problem]:
    at = dim % value.rank
    axis = value.axes[at]
    over_batch = axis.means(BATCH) and axis.size != 1
    # Attention normalises over time, but by softmax, and its scores have one number per step.
    sure = GUESSED not in value.traits  # one sequence alone has its classes on axis 1
    over_time = log and sure and axis.means(TIME) and value.rank == 3 and at != 2 and value.sizes[2] != 1
    if not over_batch and not over_time and (axis.size != 1 or value.rank < 2):
        return
    time = value.find(TIME)
    right = time if axis.size == 1 and time is not None else value.rank - 1
    reason = (
        "makes the samples of the batch compete, so that each depends on the others"
        if over_batch
        else "makes the steps compete, not the classes"
        if over_time
        else "is 1 everywhere, whatever goes in: that axis has one entry"
    )
    yield Problem(
        node,
        f"softmax over axis {at} of {value} {reason}",
        None if value.origin is None else value.origin.layer,
        ((edit, str(right)),) if edit is not None and right != at else (),
        f"Normalise over axis {right}",
    )


@RULE.on(Applied)
def check_function(fact: Applied) -> Iterator[Problem]:
    value, dim = fact.arguments.get("input"), int_of(fact.arguments.get("dim"))
    if fact.name in ("softmax", "log_softmax", "softmin") and _fits(value, dim) and not _may_grow(fact, value, dim):
        assert isinstance(value, Tensor)
        assert dim is not None
        yield from _problem(fact.node, value, dim, fact.nodes.get("dim"), fact.name == "log_softmax")


@RULE.on(ModuleCalled)
def check_module(fact: ModuleCalled) -> Iterator[Problem]:
    value, dim = fact.input, int_of(fact.module.config.get("dim"))
    if fact.module.kind in ("Softmax", "LogSoftmax") and _fits(value, dim):
        assert isinstance(value, Tensor)
        assert dim is not None
        yield from _problem(fact.node, value, dim, None, fact.module.kind == "LogSoftmax")


def _may_grow(fact: Applied, value: Value | None, dim: int | None) -> bool:
    """Whether the one entry of the axis is a setting, which may be another one: the length of a list that is joined,
    or a parameter that has a default."""
    if not isinstance(value, Tensor) or dim is None or value.sizes[dim] != 1:
        return False
    call = only_use(fact, fact.nodes.get("input"))
    if isinstance(call, cst.Call) and last_word(call.func) in ("cat", "stack"):
        return True
    given = fact.nodes.get("input")
    return given is not None and not optional_of(fact.where.node).isdisjoint(made_of(fact.where.body, given))


def _fits(value: Value | None, dim: int | None) -> bool:
    return isinstance(value, Tensor) and dim is not None and -value.rank <= dim < value.rank
