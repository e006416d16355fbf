"""FL208: the last step of a bidirectional output used as a summary."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, DIRECTION, FEATURE
from ..facts import Indexed
from ..nodes import code_of
from ..values import int_of
from ._code import plain_items, whole
from ._sizes import several, steps_axis
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL208",
    name="bidirectional-last-output",
    summary="the last step of a bidirectional output holds a backward half that has read one step only",
    torch="silent",
    explanation="""
The backward direction reads the sequence from its end. At the last step its half of the output has seen that one step
and nothing else; its summary of the whole sequence stands at step 0. Use the final states `h_n[-2]` (forward) and
`h_n[-1]` (backward), or the last step's forward half beside the first step's backward half.

    step                    0         1         2
    forward half has seen   x0        x0 x1     x0 x1 x2
    backward half has seen  x0 x1 x2  x1 x2     x2
    output[:, -1]                               ^^^^^^^^
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)\nself.head = nn.Linear(12, 2)",
        "output, (h_n, c_n) = self.lstm(x)\nreturn self.head(output[:, -1])  # FL208",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)\nself.head = nn.Linear(12, 2)",
        "output, (h_n, c_n) = self.lstm(x)\nreturn self.head(torch.cat((h_n[-2], h_n[-1]), dim=1))",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True)",
                "output, h_n = self.gru(x.transpose(0, 1))\noutput = output[-1]  # FL208\nreturn output",
            ),
            "differs",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)",
                "return self.gru(x)[0][:, -1, :]  # FL208",
            ),
            "differs",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)\nself.head = nn.Linear(12, 2)",
                "scores = self.head(self.gru(x)[0])\nreturn scores[:, -1]  # FL208",
            ),
            "differs",
            fixed=model(
                "self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)\nself.head = nn.Linear(12, 2)",
                "_, h_n = self.gru(x)\nreturn self.head(torch.cat((h_n[-2], h_n[-1]), dim=1))",
            ),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)\nself.head = nn.Linear(6, 2)",
                "output, h_n = self.gru(x)\nreturn self.head(output[:, :, :6] + output[:, :, 6:])[:, -1]",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)",
                "output, h_n = self.gru(x)\nreturn torch.cat((output[:, -1, :6], output[:, 0, 6:]), dim=1)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)",
                "output, h_n = self.gru(x)\noutput = output[:, :, :6] + output[:, :, 6:]\nreturn output.mean(1)",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    origin = source.origin
    if origin is None or origin.role != "output" or source.traits & {"padded"}:
        return
    halves = source.rank == 3 and source.axes[2].means(DIRECTION, FEATURE)
    if not (halves or origin.mixed) or several(origin.layer.directions, fact.where) is not True:
        return
    at, batch = steps_axis(source), source.find(BATCH)
    if at is None or batch is None or max(at, batch) > 1 or source.sizes[at] == 1 or len(items) <= at:
        return
    if int_of(items[at]) != -1 or not all(whole(item) for i, item in enumerate(items) if i != at):
        return
    assert isinstance(fact.node, cst.Subscript)
    name = code_of(fact.node.value)
    lead = ":, " if at == 1 else ""
    tail = ", " if at == 1 else ", :, "
    half = f"{name}.size(-1) // 2"
    right = f"torch.cat(({name}[{lead}-1{tail}:{half}], {name}[{lead}0{tail}{half}:]), dim=-1)"
    what = f"the output is {source}" if halves else f"this is {source}, made of the output of a bidirectional layer"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)}: the backward half of the last step has read that one step only; {what}. "
        "Use h_n[-2] and h_n[-1], or the backward half of step 0",
        origin.layer,
        ((fact.node, right),) if halves and not origin.mixed else (),
        "Take the backward half from the first step",
    )
