"""FL215: the mean, sum or maximum of a recurrent output over the samples of the batch."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import BATCH, TIME
from ..facts import Applied
from ..naming import BATCH_NAMES, names_of
from ..nodes import code_of
from ..values import Const, Tensor, int_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL215",
    name="pooled-over-batch",
    summary="output.mean(1) of a sequence-first layer pools the samples of the batch, not the steps",
    torch="silent",
    explanation="""
The steps of an output are pooled over its time axis: axis 0 of (time, batch, features), axis 1 with
`batch_first=True`. Over the other one the samples of the batch become one, and the steps stay apart: what a sample
gives depends on whom it shares a batch with. `pad_packed_sequence` has its own `batch_first`.

    memory           t0s0 t0s1 | t1s0 t1s1 | t2s0 t2s1
    output.mean(1)   t0        | t1        | t2
    output.mean(0)   s0, s1: over t0 t1 t2
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output.mean(1))  # FL215",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output.mean(0))",
    ),
    example_input="T=7 B=4 I=5",
    example_proof="differs",
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "output, _ = self.gru(x)\nreturn torch.max(torch.relu(output), dim=0)[0]  # FL215",
            ),
            "differs",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True)
output, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0])
return output.sum(dim=1)  # FL215
""",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "y, _ = self.gru(x)\nreturn y.mean(0), y.max(0)[0], y.mean((0, 1)), y.max(), y.sum(-1)",
            ),
            "T=7 B=4 I=5",
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "y, _ = self.gru(x)\nreturn y.mean(1), y.sum(2), y.transpose(0, 1).sum(0)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "output, _ = self.gru(x)\nreturn output - output.mean(1, keepdim=True), self.gru(x[:, :1])[0].sum(1)",
            ),
            "T=7 B=4 I=5",
        ),
    ),
    fixable="unsafe",
)

POOLS = ("mean", "sum", "max", "min", "amax", "amin", "logsumexp")


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    source, at = fact.arguments.get("input"), int_of(fact.arguments.get("dim"))
    if fact.name not in POOLS or not isinstance(source, Tensor) or source.rank != 3 or at is None or not -3 <= at < 3:
        return
    origin, keep = source.origin, fact.arguments.get("keepdim")
    if origin is None or origin.role != "output" or not fact.where.in_class or keep not in (None, Const(False)):
        return
    time = source.find(TIME)
    if not source.axes[at].means(BATCH) or source.sizes[at] == 1 or time is None or source.sizes[time] == 1:
        return
    if "led" in source.traits or not names_of(source.sizes[time]).isdisjoint(BATCH_NAMES):
        return  # the program means the batch to be first: FL203
    node = fact.nodes.get("dim")
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} makes one of all samples of the batch: the output is {source}. The steps are pooled "
        f"over axis {time}",
        origin.layer,
        () if node is None else ((node, str(time)),),
        "Pool the steps",
    )
