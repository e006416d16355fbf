"""FL403: the last step of a padded output."""

from __future__ import annotations

from collections.abc import Iterator

from fastlstm.contract import TIME

from ..facts import Indexed
from ..values import int_of
from ._code import plain_items
from .base import Problem, Right, Rule, Wrong, code_of, model

RULE = Rule(
    code="FL403",
    name="last-step-is-padding",
    summary="the last step after pad_packed_sequence is padding for every shorter sequence",
    torch="silent",
    explanation="""
`pad_packed_sequence` fills what is behind the end of a sequence with zeros. Index -1 on the time axis is the end of
the longest sequence only; for the others it is a row of zeros. The last real step of every sequence is in h_n:
`h_n[-1]`, or is found by its length.

    sample 0       t0 t1 t2 t3
    sample 1       t0 t1 -- --
    output[:, -1]           t3 of sample 0, -- of sample 1
    h_n                     t3 of sample 0, t1 of sample 1
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, h_n = self.gru(packed)
output, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
return output[:, -1]  # FL403
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, h_n = self.gru(packed)
return h_n[-1]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, lengths = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0])
return output[-1]  # FL403
""",
            ),
            "differs",
            fixed=model(
                "self.gru = nn.GRU(5, 6)",
                "return self.gru(nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True))[1][-1]",
            ),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, lengths = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
return output[torch.arange(4), lengths - 1], output.sum(1)
""",
            )
        ),
    ),
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    if "padded" not in source.traits or source.rank != 3 or source.origin is None or source.origin.role != "output":
        return
    at = next((i for i in (0, 1) if source.axes[i].means(TIME)), None)
    if at is None or len(items) <= at or int_of(items[at]) != -1:
        return
    sample = items[1 - at] if len(items) > 1 - at else None
    if int_of(sample) is None:
        yield Problem(
            fact.node,
            f"{code_of(fact.node)} is padding for every sequence but the longest: this is {source} after "
            "pad_packed_sequence. The last real step is h_n[-1]",
            source.origin.layer,
        )
