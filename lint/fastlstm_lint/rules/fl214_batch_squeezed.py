"""FL214: squeeze of the batch axis."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH
from ..facts import Applied
from ..naming import BATCH_NAMES, names_of
from ..nodes import code_of
from ..values import Tensor, int_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL214",
    name="batch-squeezed",
    summary="squeeze(0) on the batch axis: nothing happens, until the batch is 1 and loses its axis",
    torch="silent",
    explanation="""
The final states are (layers * directions, batch, hidden), and `squeeze(0)` takes away the first axis of one layer's.
The output of a batch-first layer, and a state that has been indexed, begin with the *batch*: `squeeze(0)` leaves them
as they are, except for a batch of one sample, which comes out without its batch axis. What follows then works on the
wrong axis or raises, at the last batch of an epoch or in use.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)",
        """
batch_size = x.size(0)
_, h_n = self.gru(x)
return self.head(h_n[-1].squeeze(0))  # FL214
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)",
        """
batch_size = x.size(0)
_, h_n = self.gru(x)
return self.head(h_n[-1])
""",
    ),
    example_input="B=1 T=7 I=5",
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                "steps, batch, _ = x.shape\noutput, _ = self.lstm(x)\nreturn torch.squeeze(output, 1)  # FL214",
            ),
            "differs",
            "T=7 B=1 I=5",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "batch_size = x.size(0)\noutput, h_n = self.gru(x)\nreturn h_n.squeeze(0), output.squeeze(2)",
            )
        ),
        Right(model("self.gru = nn.GRU(5, 6, batch_first=True)", "return self.gru(x)[0].squeeze(0)"), "B=1 T=7 I=5"),
        Right(
            model("self.gru = nn.GRU(5, 6)", "output, _ = self.gru(x.view(-1, 1, 5))\nreturn output.squeeze(1)"),
        ),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    source, dim = fact.arguments.get("input"), int_of(fact.arguments.get("dim"))
    if fact.name != "squeeze" or not isinstance(source, Tensor) or dim is None or not fact.where.in_class:
        return
    if source.origin is None or source.origin.role == "created" or not -source.rank <= dim < source.rank:
        return
    axis = source.axes[dim]
    # A program that never speaks of its batch may well be one for single samples.
    if not axis.means(BATCH) or names_of(axis.size).isdisjoint(BATCH_NAMES):
        return
    receiver = code_of(fact.nodes["input"])
    whole = isinstance(fact.call.func, cst.Attribute)
    yield Problem(
        fact.node,
        f"axis {dim} of {source} is the batch: squeeze leaves it, unless the batch is 1 and loses its axis",
        source.origin.layer,
        ((fact.node, receiver),) if whole else (),
        "Drop the squeeze",
    )
