"""FL202: `output[:, -1]` of a sequence-first output."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..facts import Indexed
from ..nodes import code_of
from ..tensors import TURNED
from ..values import Range, int_of
from ._code import add_batch_first, plain_items, whole
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL202",
    name="last-sample-sequence-first",
    summary="output[:, -1] with batch_first=False is the last sample, not the last time step",
    torch="silent",
    explanation="""
Without `batch_first=True` the output is (time, batch, features). `output[:, -1]` takes the last *sample* of the batch
at every step. The last step of every sample is `output[-1]`. Where the input has the batch first, as most of the code
with this line has, the layer lacks `batch_first=True`; the fix adds it unless the program itself has put the steps in
front.

    memory         t0s0 t0s1 | t1s0 t1s1 | t2s0 t2s1
    output[:, -1]       t0s1        t1s1        t2s1
    output[-1]                             t2s0 t2s1
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x.transpose(0, 1))\nreturn self.head(output[:, -1])  # FL202",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        "output, _ = self.lstm(x.transpose(0, 1))\nreturn self.head(output[-1])",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                "output, h_n = self.gru(x.permute(1, 0, 2))\nreturn output[:, -1, :]  # FL202",
            ),
            "differs",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(6, 2)",
                "output, h_n = self.gru(x)\nreturn self.head(output[:, -1])  # FL202",
            ),
            "differs",
            fixed=model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)",
                "return self.head(self.gru(x)[0][:, -1])",
            ),
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
    turned = TURNED in source.traits
    edits = ((fact.node, right),) if turned else add_batch_first(origin.layer)
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} is the last sample of the batch at every step: the output is {source}. "
        + ("" if turned else "If the input has the batch first, the layer lacks batch_first=True; if not, the")
        + ("The" if turned else "")
        + f" last time step of every sample is {right}",
        origin.layer,
        edits,
        f"Take the last time step: {right}" if turned else "Add batch_first=True to the layer",
    )
