"""FL401: padding and packing disagree on batch_first."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..facts import Applied
from ..values import Tensor
from ._code import with_keyword
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL401",
    name="pack-pad-mismatch",
    summary="pack_padded_sequence is told another layout than its input has",
    torch="silent",
    crashes=True,
    explanation="""
`pad_sequence`, `pack_padded_sequence` and `pad_packed_sequence` each have their own `batch_first`, False by default.
Packing a batch-first tensor without it takes the samples for time steps: it raises when the number of lengths does
not fit, and mixes samples when it does.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6)",
        """
rows = nn.utils.rnn.pad_sequence([row for row in x], batch_first=True)
packed = nn.utils.rnn.pack_padded_sequence(rows, [7] * 4)  # FL401
return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0])[0]
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6)",
        """
rows = nn.utils.rnn.pad_sequence([row for row in x], batch_first=True)
packed = nn.utils.rnn.pack_padded_sequence(rows, [7] * 4, batch_first=True)
return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0])[0]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.first = nn.GRU(5, 6, batch_first=True)\nself.second = nn.GRU(6, 6)",
                """
output, _ = self.first(x)
packed = nn.utils.rnn.pack_padded_sequence(output, [7] * 4, batch_first=False)  # FL401
return self.second(packed)[0].data
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
rows = nn.utils.rnn.pad_sequence([row for row in x])
packed = nn.utils.rnn.pack_padded_sequence(rows, [7] * 4)
return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)[0]
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    value, result = fact.arguments.get("input"), fact.result
    if fact.name != "pack_padded_sequence" or not isinstance(value, Tensor) or value.rank < 2:
        return
    first = getattr(result, "batch_first", None)
    known = value.axes[0].meaning
    if first is None or known not in ((BATCH,), (TIME,)) or first == (known == (BATCH,)):
        return
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if len([each for each in fact.call.args if each.keyword is None]) < 3:
        edits = ((fact.node, with_keyword(fact.call, "batch_first", str(not first))),)
    yield Problem(
        fact.node,
        f"the input is {value}, but it is packed with batch_first={first}",
        None if value.origin is None else value.origin.layer,
        edits,
        f"Pack with batch_first={not first}",
    )
