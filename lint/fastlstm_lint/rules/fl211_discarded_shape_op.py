"""FL211: the result of a shape operation is thrown away."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Discarded
from ..nodes import code_of
from ..values import Opaque, Tensor
from .base import Problem, Right, Rule, Wrong, model

TENSOR_METHODS = frozenset(
    {"view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "flatten", "contiguous", "detach", "expand"}
)
UNMISTAKABLE = frozenset({"transpose", "view", "permute", "unsqueeze", "contiguous", "detach", "squeeze"})
"""Methods that hardly anything but a tensor has: enough even where the value itself is unknown."""

RULE = Rule(
    code="FL211",
    name="discarded-shape-op",
    summary="the result of view, permute, detach and the like is thrown away",
    torch="silent",
    explanation="""
`x.view(...)`, `x.permute(...)`, `x.detach()` and their like return a new tensor and leave `x` as it was. A line that
only calls them does nothing. Assign the result, or use the method with a trailing underscore where there is one.
""",
    wrong=model("self.gru = nn.GRU(5, 6)", "x.transpose(0, 1)  # FL211\nreturn self.gru(x)[0]"),
    right=model("self.gru = nn.GRU(5, 6)", "x = x.transpose(0, 1)\nreturn self.gru(x)[0]"),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "output, h_n = self.gru(x)\noutput.permute(1, 0, 2)  # FL211\nreturn output",
            ),
            "differs",
        ),
        Wrong(
            model("self.gru = nn.GRU(5, 6)", "x.squeeze(dim=0)  # FL211\nreturn self.gru(x)[0]"),
            "differs",
            "N=1 T=7 I=5",
            fixed=model("self.gru = nn.GRU(5, 6)", "return self.gru(x.squeeze(0))[0]"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                """
output, h_n = self.gru(x)
output.detach_()
output.mean(1)
rows = list(x)
rows.reverse()
return output.reshape(x.size(0), -1)
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Discarded)
def check(fact: Discarded) -> Iterator[Problem]:
    if fact.method not in TENSOR_METHODS:
        return
    if not isinstance(fact.source, Tensor) and not (isinstance(fact.source, Opaque) and fact.method in UNMISTAKABLE):
        return
    if fact.method in ("transpose", "swapaxes") and len(fact.call.args) != 2:
        return  # a piece of music, say: a tensor is told two axes
    assert isinstance(fact.call.func, cst.Attribute)
    receiver = fact.call.func.value
    text = code_of(receiver)
    simple = isinstance(receiver, (cst.Name, cst.Attribute))
    yield Problem(
        fact.node,
        f"{text}.{fact.method}(...) returns a new tensor; this line leaves {text} as it was",
        edits=((fact.node, f"{text} = {code_of(fact.call)}"),) if simple else (),
        fix=f"Assign the result to {text}",
    )
