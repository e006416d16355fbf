"""FL404: lengths on a GPU."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Applied
from ..nodes import code_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL404",
    name="lengths-device-or-type",
    summary="the lengths of pack_padded_sequence are moved to a GPU",
    torch="crash",
    explanation="""
`pack_padded_sequence` takes its lengths as a list or as an integer tensor on the CPU, wherever the sequences are.
Lengths on a GPU raise.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
lengths = torch.tensor([7, 5, 3, 2])
packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cuda(), batch_first=True)  # FL404
return self.gru(packed)[1]
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
lengths = torch.tensor([7, 5, 3, 2])
packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
return self.gru(packed)[1]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lengths = torch.tensor([7, 5, 3, 2])\nself.gru = nn.GRU(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, lengths=self.lengths.cuda(), batch_first=True)  # FL404
return self.gru(packed)[1]
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
lengths = torch.tensor([7, 5, 3, 2])
packed = nn.utils.rnn.pack_padded_sequence(x, lengths.to("cpu"), batch_first=True)
return self.gru(packed)[1]
""",
            )
        ),
    ),
    fixable="safe",
    likely=True,
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    node = fact.nodes.get("lengths")
    if (
        fact.name != "pack_padded_sequence"
        or not isinstance(node, cst.Call)
        or not isinstance(node.func, cst.Attribute)
    ):
        return
    if node.func.attr.value != "cuda":
        return
    receiver = code_of(node.func.value)
    yield Problem(
        fact.node,
        f"lengths stay on the CPU, also when the sequences are on a GPU: {code_of(node)} is refused",
        edits=((node, receiver),),
        fix=f"Pass {receiver} as it is",
        safe=True,
    )
