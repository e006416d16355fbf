"""FL507: a recurrent layer inside nn.Sequential."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..facts import Made
from ..layers import Recurrent
from ..values import Module
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL507",
    name="rnn-in-sequential",
    summary="a recurrent layer in nn.Sequential hands a tuple to the next module",
    torch="crash",
    explanation="""
nn.Sequential passes each module's result on as it is. A recurrent layer returns `(output, state)`, which the next
module does not take. Call the layers in `forward`, or put a small module in between that takes the first item.
""",
    wrong=model("self.net = nn.Sequential(nn.LSTM(5, 6), nn.Linear(6, 2))  # FL507", "return self.net(x)"),
    right=model("self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)", "return self.head(self.lstm(x)[0])"),
    invalid=(
        Wrong(
            model("self.net = nn.Sequential(nn.Linear(5, 5), nn.GRU(5, 6), nn.ReLU())  # FL507", "return self.net(x)"),
            "crash",
        ),
        Wrong(
            model(
                "self.net = nn.Sequential(nn.GRU(5, 6), nn.Identity(), nn.Linear(6, 2))  # FL507",
                "return self.net(x)",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(model("self.net = nn.Sequential(nn.Linear(5, 5), nn.GRU(5, 6))", "return self.net(x)[0]")),
        Right(model("self.net = nn.Sequential(nn.GRU(5, 6), nn.Identity())", "return self.net(x)[0]")),
        Right(
            """
class First(nn.Module):
    def forward(self, pair):
        return pair[0]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.LSTM(5, 6), First(), nn.Linear(6, 2))

    def forward(self, x):
        return self.net(x)
"""
        ),
    ),
    unfixable=(
        "A layer inside nn.Sequential cannot be given a second output to drop: the model needs a `forward` of "
        "its own, or a small module around the layer."
    ),
)


@RULE.on(Made)
def check(fact: Made) -> Iterator[Problem]:
    module = fact.module
    if not isinstance(module, Module) or module.kind != "Sequential":
        return
    items = [item for item in module.items if not (isinstance(item, Module) and item.kind == "Identity")]
    for item, following in pairwise(items):
        if isinstance(item, Recurrent) and isinstance(following, (Module, Recurrent)) and not item.is_cell:
            name = following.label if isinstance(following, Recurrent) else f"nn.{following.kind}"
            yield Problem(fact.node, f"{item.label} returns a tuple (output, state), which {name} does not take", item)
            return
