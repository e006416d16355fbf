"""FL605: squeeze without an axis on a recurrent state or output."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, FEATURE
from ..facts import Applied
from ..nodes import code_of
from ..values import Tensor
from ._code import last_word, only_use
from ._flow import Onward
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL605",
    name="bare-squeeze",
    summary="squeeze() on a recurrent state or output drops the batch axis when the batch is 1",
    torch="silent",
    explanation="""
`squeeze()` removes every axis of size 1. On h_n of one layer it removes the first axis as meant, and the batch axis
too as soon as the batch is 1: at the last batch of an epoch, or at prediction. What follows then works on the wrong
axis or raises. Name the axis: `squeeze(0)`.
""",
    wrong=model("self.gru = nn.GRU(5, 6, batch_first=True)", "_, h_n = self.gru(x)\nreturn h_n.squeeze()  # FL605"),
    right=model("self.gru = nn.GRU(5, 6, batch_first=True)", "_, h_n = self.gru(x)\nreturn h_n.squeeze(0)"),
    example_input="B=1 T=7 I=5",
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 1)",
                "output, _ = self.lstm(x)\nreturn torch.squeeze(output)  # FL605",
            ),
            "differs",
            "T=7 B=1 I=5",
        ),
    ),
    valid=(
        Right(model("self.gru = nn.GRU(5, 6)", "_, h_n = self.gru(x)\nreturn h_n.squeeze(0), x.squeeze()")),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(6, 1)",
                "score = self.head(self.gru(x[:, :1])[1][-1]).squeeze().detach().item()\nreturn x + score",
            ),
        ),
        Right(
            model("self.gru = nn.GRU(5, 6)", "output, _ = self.gru(x.view(-1, 1, 5))\nreturn output.squeeze()"),
        ),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(Applied)
def check(fact: Applied) -> Iterator[Problem]:
    source = fact.arguments.get("input")
    if fact.name != "squeeze" or "dim" in fact.arguments or not isinstance(source, Tensor):
        return
    batch = source.find(BATCH)
    if batch is None and _is_product(fact, source):
        batch = 0
    if batch is None or (source.sizes[batch].value is not None and not _is_one_number(source)):
        return
    recurrent = source.origin is not None and source.origin.role in ("h_n", "c_n", "output", "h", "c")
    if not recurrent and all(size != 1 for i, size in enumerate(source.sizes) if i != batch):
        return  # what is meant to go is not known
    if Onward(fact.where.body, fact.node).is_one_number():
        return  # one action is drawn from it: there is one sample, and no batch is meant
    single = [i for i, size in enumerate(source.sizes) if size == 1]
    receiver = code_of(fact.nodes["input"])
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if len(single) == 1:
        edits = ((fact.node, f"{receiver}.squeeze({single[0]})"),)
    yield Problem(
        fact.node,
        f"squeeze() on {source} also drops the batch axis when the batch is 1; name the axis",
        None if source.origin is None else source.origin.layer,
        edits,
        "Name the axis",
    )


def _is_product(fact: Applied, source: Tensor) -> bool:
    """Whether it is what bmm gives: products of as many pairs of matrices as there are samples."""
    call = only_use(fact, fact.nodes.get("input"))
    return source.rank == 3 and isinstance(call, cst.Call) and last_word(call.func) == "bmm"


def _is_one_number(source: Tensor) -> bool:
    """Whether a value is (1 sample, 1 feature): squeezed, it is no batch any more."""
    return source.rank == 2 and source.axes[1].means(FEATURE) and all(size == 1 for size in source.sizes)
