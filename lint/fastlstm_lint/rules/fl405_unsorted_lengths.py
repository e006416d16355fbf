"""FL405: lengths that nothing sorts."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Applied
from ..nodes import code_of
from ..values import Tup
from ._code import with_keyword
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL405",
    name="unsorted-lengths",
    summary="pack_padded_sequence without enforce_sorted=False, and no sorting in sight",
    torch="crash",
    explanation="""
`pack_padded_sequence` wants its sequences sorted by falling length, and raises when they are not. With
`enforce_sorted=False` it sorts them itself and puts the results back in order. Off by default: the sorting may stand
in the data loader.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
lengths = (x[:, 0, 0] * 0 + torch.tensor([3.0, 7.0, 2.0, 5.0])).long()
packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)  # FL405
return self.gru(packed)[1]
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
lengths = (x[:, 0, 0] * 0 + torch.tensor([3.0, 7.0, 2.0, 5.0])).long()
packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
return self.gru(packed)[1]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.lengths = torch.tensor([3, 7, 2, 5])",
                "return self.gru(nn.utils.rnn.pack_padded_sequence(x, self.lengths, batch_first=True))[1]  # FL405",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
lengths, order = torch.tensor([3, 7, 2, 5]).sort(descending=True)
packed = nn.utils.rnn.pack_padded_sequence(x[order], lengths, batch_first=True)
return self.gru(packed)[1]
""",
            )
        ),
    ),
    fixable="safe",
    default=False,
    likely=True,
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    if (
        fact.name != "pack_padded_sequence"
        or "enforce_sorted" in fact.nodes
        or isinstance(fact.nodes.get("lengths"), cst.List)
    ):
        return
    if any(each.star for each in fact.call.args) or "lengths" not in fact.nodes:
        return
    if isinstance(fact.arguments.get("lengths"), Tup) or (
        fact.where.node is not None and "sort" in code_of(fact.where.node)
    ):
        return
    yield Problem(
        fact.node,
        "nothing here sorts the lengths, and enforce_sorted=False is not given: unsorted lengths raise",
        edits=((fact.node, with_keyword(fact.call, "enforce_sorted", "False")),),
        fix="Add enforce_sorted=False",
        safe=True,
    )
