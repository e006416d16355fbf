"""FL608: the log-probability of what was chosen, summed over time instead of over the classes."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import TIME
from ..facts import Applied
from ..values import Tensor, int_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL608",
    name="log-probabilities-over-time",
    summary="log_probs * one_hot summed over time, where the classes were meant",
    torch="silent",
    explanation="""
`log_probs * one_hot` leaves of each step the log-probability of the class that was taken, and zeros. A sum over the
last axis picks it. A sum over axis 1, which is right for (batch, classes), runs over time once the values are (batch,
time, classes): the steps are added up and the classes are kept apart.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
        """
log_probs = F.log_softmax(self.head(self.gru(x)[0]), dim=2)
taken = F.one_hot(torch.zeros(x.size(0), x.size(1), dtype=torch.long), 3)
return (log_probs * taken).sum(1)  # FL608
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
        """
log_probs = F.log_softmax(self.head(self.gru(x)[0]), dim=2)
taken = F.one_hot(torch.zeros(x.size(0), x.size(1), dtype=torch.long), 3)
return (log_probs * taken).sum(-1)
""",
    ),
    example_proof="differs",
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)\nself.head = nn.Sequential(nn.Linear(6, 3), nn.LogSoftmax(dim=-1))",
                """
taken = F.one_hot(torch.zeros(x.size(0), x.size(1), dtype=torch.long), 3)
return torch.sum(self.head(self.gru(x)[0]) * taken, dim=0)  # FL608
""",
            ),
            "differs",
            "T=7 B=4 I=5",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
                """
log_probs = F.log_softmax(self.head(self.gru(x)[0]), dim=2)
mask = torch.ones(x.size(0), x.size(1), 1)
return (log_probs * mask).sum(1), log_probs.mean(1), (log_probs * 2.0).sum(1)
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    source, dim = fact.arguments.get("input"), int_of(fact.arguments.get("dim"))
    if fact.name not in ("sum", "mean") or not isinstance(source, Tensor) or dim is None or source.rank != 3:
        return
    if "picked" not in source.traits or not -3 <= dim < 3 or not source.axes[dim].means(TIME) or dim in (2, -1):
        return
    node = fact.nodes.get("dim")
    yield Problem(
        fact.node,
        f"{fact.name} over axis {dim} of {source} adds up the steps and leaves the classes apart; what was taken is "
        "picked by a sum over the last axis",
        None if source.origin is None else source.origin.layer,
        () if node is None else ((node, "-1"),),
        "Sum over the classes",
    )
