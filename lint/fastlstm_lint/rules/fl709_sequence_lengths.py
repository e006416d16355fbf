"""FL709: lengths or sequences that cannot be packed or padded."""

from __future__ import annotations

from ..facts import Refused
from ._refused import UNFIXABLE, refusals
from .base import Right, Rule, Wrong, model

RULE = Rule(
    code="FL709",
    name="sequence-lengths",
    summary="lengths or sequences that cannot be packed or padded",
    torch="crash",
    general=True,
    explanation="""
pack_padded_sequence takes one length for each sequence, none of them zero, in decreasing order unless
enforce_sorted=False. pad_sequence takes sequences whose axes but the first are the same.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6)",
        """
packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(7, 4, 5), [7, 5, 2])  # FL709
return self.gru(packed)[1]
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6)",
        """
packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(7, 4, 5), [7, 5, 2, 1])
return self.gru(packed)[1]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([7, 5, 6, 1]), True)  # FL709
return self.gru(packed)[1]
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                "return self.gru(nn.utils.rnn.pad_sequence([torch.zeros(3, 5), torch.zeros(2, 4)]))[0]  # FL709",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([1, 5, 7, 1]), True, False)
return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], True, 0.0, 9)[0][:, 8]
""",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "return self.gru(nn.utils.rnn.pad_sequence([torch.zeros(3, 5), torch.zeros(2, 5)]))[0][2]",
            )
        ),
    ),
    unfixable=UNFIXABLE,
)

RULE.on(Refused)(refusals("lengths"))
