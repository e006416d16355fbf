"""FL213: attention that reads the batch axis as time."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..dims import Dim
from ..facts import ModuleCalled
from ..naming import BATCH_NAMES, TIME_NAMES, names_of
from ..signatures.attention import GIVEN, batch_first
from ..values import Module, Tensor
from ._code import with_keyword
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL213",
    name="attention-over-batch",
    summary="a batch-first value goes into sequence-first attention, or the reverse",
    torch="silent",
    explanation="""
`nn.MultiheadAttention` and the transformer's layers read (time, batch, features) unless they were made with
`batch_first=True`, as recurrent layers do. A batch-first value is then attended to *across the samples* of the batch:
each sample's result is a mixture of the others', step by step. Sizes fit, and torch is silent.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.mix = nn.MultiheadAttention(6, 2)",
        "output, _ = self.gru(x)\nreturn self.mix(output, output, output)[0]  # FL213",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.mix = nn.MultiheadAttention(6, 2, batch_first=True)",
        "output, _ = self.gru(x)\nreturn self.mix(output, output, output)[0]",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.mix = nn.TransformerEncoderLayer(6, 2, 8)",
                "output, _ = self.gru(x)\nreturn self.mix(torch.relu(output))  # FL213",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)\nself.mix = nn.MultiheadAttention(6, 2, batch_first=True)",
                "output, _ = self.gru(x.transpose(0, 1))\n"
                "return self.mix(query=output, key=output, value=output)[0].transpose(0, 1)  # FL213",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "layer = nn.TransformerEncoderLayer(5, 1, 8)\nself.mix = nn.TransformerEncoder(layer, 2, "
                "enable_nested_tensor=False)\nself.gru = nn.GRU(5, 6, batch_first=True)",
                "batch, steps, _ = x.shape\nreturn self.gru(self.mix(x))[0]  # FL213",
            ),
            "mixes",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.mix = nn.MultiheadAttention(6, 2)",
                "output, _ = self.gru(x)\nreturn self.mix(output, output, output)[0]",
            ),
            "T=7 B=4 I=5",
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.mix = nn.TransformerEncoderLayer(6, 2, 8)",
                "return self.mix(self.gru(x)[0].transpose(0, 1)).transpose(0, 1)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\n"
                "self.mix = nn.MultiheadAttention(6, 2, batch_first=self.gru.batch_first)",
                "output, _ = self.gru(x)\nlast = output[:, -1].unsqueeze(1)\nreturn self.mix(last, output, output)[0]",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(ModuleCalled)
def check(fact: ModuleCalled) -> Iterator[Problem]:
    module = fact.module
    first = batch_first(module) if module.kind in GIVEN else None
    if first is None:
        return
    for value in (fact.input, *fact.others):
        if not isinstance(value, Tensor) or value.rank != 3 or not _confused(value, first):
            continue
        read = "(batch, time)" if first else "(time, batch)"
        problem = "a sequence-first value goes into batch-first attention" if first else MISSING
        advice = "Drop batch_first=True or transpose" if first else "Add batch_first=True"
        made = _maker(module)
        yield Problem(
            fact.node,
            f"{problem}: {value} is read as {read}, so that it attends across the samples. {advice}",
            None if value.origin is None else value.origin.layer,
            () if first or made is None else ((made, with_keyword(made, "batch_first", "True")),),
            "Add batch_first=True to the attention",
        )
        return


MISSING = "a batch-first value goes into sequence-first attention"


def _confused(value: Tensor, first: bool) -> bool:
    known = tuple(axis.meaning[0] if len(axis.meaning) == 1 else None for axis in value.axes[:2])
    # One step of every sample still is one sample after the other to attention that reads the first axis as time.
    steps = not first and known[0] == BATCH and value.sizes[0].value != 1
    if 1 in (value.sizes[0].value, value.sizes[1].value) and not steps:
        return False
    if first:
        return known == (TIME, BATCH)
    named = known == (None, None) and _named(value.sizes[0], BATCH_NAMES) and _named(value.sizes[1], TIME_NAMES)
    return known[0] == BATCH or known[1] == TIME or named


def _named(size: Dim, names: frozenset[str]) -> bool:
    return not names_of(size).isdisjoint(names)


def _maker(module: Module) -> cst.Call | None:
    """The constructor call that decides on the layout."""
    inner = module.config.get("encoder_layer") or module.config.get("decoder_layer")
    node = inner.node if isinstance(inner, Module) else module.node
    return node if isinstance(node, cst.Call) and not any(each.star for each in node.args) else None
