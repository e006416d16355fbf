"""FL202: `output[:, -1]` of a sequence-first output."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..facts import Indexed
from ..nodes import code_of
from ..values import Range, int_of
from ._code import plain_items, whole
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL202",
    name="last-sample-sequence-first",
    summary="output[:, -1] with batch_first=False is the last sample, not the last time step",
    torch="silent",
    explanation="""
Without `batch_first=True` the output is (time, batch, features). `output[:, -1]` takes the last *sample* of the batch
at every step. The last step of every sample is `output[-1]`. Code copied from a batch-first program has this line;
then `batch_first=True` may be what is missing.

    memory         t0s0 t0s1 | t1s0 t1s1 | t2s0 t2s1
    output[:, -1]       t0s1        t1s1        t2s1
    output[-1]                             t2s0 t2s1
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output[:, -1])  # FL202",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x)\nreturn self.head(output[-1])",
    ),
    example_input="T=7 B=4 I=5",
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                "output, h_n = self.gru(x.permute(1, 0, 2))\nreturn output[:, -1, :]  # FL202",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "output, h_n = self.gru(x)\nreturn output[:, 0], output[-1, -1], output.transpose(0, 1)[:, -1]",
            ),
            "T=7 B=4 I=5",
        ),
        Right(model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.view(-1, 1, 5))\nreturn output[:, -1]")),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    origin = source.origin
    if origin is None or origin.role != "output" or source.rank not in (2, 3) or len(items) < 2:
        return
    if not (source.axes[0].means(TIME) and source.axes[1].means(BATCH)) or source.sizes[1] == 1:
        return
    if not whole(items[0]) or int_of(items[1]) != -1 or not all(isinstance(item, Range) for item in items[2:]):
        return
    if "led" in source.traits:
        return  # the program means the batch to be first: FL203
    assert isinstance(fact.node, cst.Subscript)
    rest = [code_of(element).rstrip(", ") for element in fact.node.slice[2:]] if len(items) == len(fact.items) else []
    right = f"{code_of(fact.node.value)}[{', '.join(['-1', *([':'] if rest else []), *rest])}]"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} is the last sample of the batch at every step: the output is {source}. "
        f"The last time step of every sample is {right}; if the input has the batch first, the layer lacks "
        "batch_first=True instead",
        origin.layer,
        ((fact.node, right),),
        f"Take the last time step: {right}",
    )
