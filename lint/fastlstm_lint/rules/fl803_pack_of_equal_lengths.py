"""FL803: sequences of one length, packed."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Applied
from ._code import last_word
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL803",
    name="pack-of-equal-lengths",
    summary="pack_padded_sequence where all sequences have the same length",
    torch="slow",
    explanation="""
Packing leaves out the padding behind shorter sequences. Where every length is the same there is none: the values are
copied into the packed order and back, the layer takes its slower way for packed input, and the result is that of the
plain call.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [x.size(1)] * x.size(0), batch_first=True)  # FL803
output, h_n = self.gru(packed)
return h_n
""",
    ),
    right=model("self.gru = nn.GRU(5, 6, batch_first=True)", "output, h_n = self.gru(x)\nreturn h_n"),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((x.size(1),), x.size(0)))  # FL803
return self.gru(packed)[1]
""",
            ),
            "slow",
            "T=7 B=4 I=5",
            fixed=model("self.gru = nn.GRU(5, 6)", "return self.gru(x)[1]"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5] + [3] * 2, batch_first=True)
return self.gru(packed)[1]
""",
            )
        ),
    ),
    default=False,
    unfixable="The layer's packed output is unpacked somewhere else, and both have to go.",
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    if fact.name == "pack_padded_sequence" and _all_the_same(fact.nodes.get("lengths")):
        yield Problem(
            fact.node,
            "all sequences have the same length: there is no padding to leave out, and packing only costs; call the "
            "layer with the values themselves",
        )


def _all_the_same(node: cst.BaseExpression | None) -> bool:
    """Whether lengths are written `[steps] * batch`, or as torch.full, ones or a multiple of ones."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
        sides = (node.left, node.right)
        lists = [each for each in sides if isinstance(each, cst.List)]
        return any(len(each.elements) == 1 for each in lists) or any(_filled(each) for each in sides)
    return _filled(node)


def _filled(node: cst.BaseExpression | None) -> bool:
    return isinstance(node, cst.Call) and last_word(node.func) in ("full", "ones")
