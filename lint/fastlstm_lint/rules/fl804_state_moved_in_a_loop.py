"""FL804: a state sent to a device in every step."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of, walk
from ._code import last_word
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL804",
    name="state-moved-in-a-loop",
    summary="the state is moved to a device or type in every step of a loop",
    torch="slow",
    explanation="""
A state that a layer returns is where the layer is, in its type. `.to(device)`, `.cuda()` or `.cpu()` in every step does
nothing at best; where it does something the state travels between devices in every step, and each transfer waits for
the one before. Move the first state once, in front of the loop.
""",
    wrong=model(
        "self.cell = nn.GRUCell(5, 6)",
        """
h = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h = self.cell(x[:, t], h.to(x.device))  # FL804
return h
""",
    ),
    right=model(
        "self.cell = nn.GRUCell(5, 6)",
        """
h = torch.zeros(x.size(0), 6).to(x.device)
for t in range(x.size(1)):
    h = self.cell(x[:, t], h)
return h
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
h, c = torch.zeros(1, x.size(0), 6), torch.zeros(1, x.size(0), 6)
for t in range(x.size(1)):
    output, (h, c) = self.lstm(x[:, t : t + 1, :], (h.cpu(), c.cpu()))  # FL804
return output
""",
            ),
            "slow",
            fixed=model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
state = torch.zeros(1, x.size(0), 6), torch.zeros(1, x.size(0), 6)
for t in range(x.size(1)):
    output, state = self.lstm(x[:, t : t + 1, :], state)
return output
""",
            ),
        ),
    ),
    valid=(
        Right(
            model(
                "self.cell = nn.GRUCell(5, 6)",
                """
h = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h = self.cell(x[:, t].to(h.device), h)
return h
""",
            )
        ),
    ),
    default=False,
    unfixable="Where the first state is made is the place to move it, and the loop's line may be what moves it now.",
    likely=True,
)

MOVES = frozenset({"to", "cuda", "cpu", "double", "float", "half"})


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    loop = fact.where.loops[-1] if fact.where.loops else None
    if not isinstance(loop, (cst.For, cst.While)) or fact.state_node is None:
        return
    moves = [
        each
        for each in walk(fact.state_node)
        if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and last_word(each.func) in MOVES
    ]
    if moves:
        text = " and ".join(code_of(each) for each in reversed(moves))
        yield Problem(
            fact.node,
            f"{text} in every step: after the first one a state is where its layer is; move it in front of the loop",
            fact.layer,
        )
