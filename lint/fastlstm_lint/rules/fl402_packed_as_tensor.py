"""FL402: a PackedSequence used as a tensor."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Misused, ModuleCalled
from ..values import Packed
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL402",
    name="packed-as-tensor",
    summary="a PackedSequence is indexed, reshaped or given to a module that takes tensors",
    torch="crash",
    explanation="""
A layer that gets a PackedSequence returns one. It has no shape and no axes; `pad_packed_sequence` turns it back into
a padded tensor and lengths. Only recurrent layers take it as it is; `packed.data` is the tensor of all steps for
element-wise work.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(6, 2)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True)
output, h_n = self.gru(packed)
return self.head(output)  # FL402
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(6, 2)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True)
output, h_n = self.gru(packed)
output, lengths = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
return self.head(output)
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True)
output, h_n = self.gru(packed)
return output.transpose(0, 1)  # FL402
""",
            ),
            "crash",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True)
return self.gru(packed)[0][:, -1]  # FL402
""",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.first = nn.GRU(5, 6)\nself.second = nn.GRU(6, 6)\nself.head = nn.Linear(6, 2)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True)
packed, _ = self.first(packed)
packed, h_n = self.second(packed)
return self.head(packed.data), self.head(packed[0]), h_n
""",
            )
        ),
    ),
    unfixable=(
        "What was meant is a choice: to pad the packed output first, to use h_n, or to work on `.data`, where "
        "samples and steps share one axis."
    ),
)


@RULE.on(Misused)
def check(fact: Misused) -> Iterator[Problem]:
    if isinstance(fact.value, Packed):
        layer = None if fact.value.origin is None else fact.value.origin.layer
        yield Problem(
            fact.node, f"{fact.use} of a PackedSequence, which has no axes; use pad_packed_sequence first", layer
        )


@RULE.on(ModuleCalled)
def check_module(fact: ModuleCalled) -> Iterator[Problem]:
    if isinstance(fact.input, Packed) and fact.module.kind not in ("Identity", "RNNBase"):
        layer = None if fact.input.origin is None else fact.input.origin.layer
        yield Problem(
            fact.node,
            f"nn.{fact.module.kind} takes a tensor, this is a PackedSequence; use pad_packed_sequence first",
            layer,
        )
