"""FL504: an initial state that is made and never used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..facts import LayerCalled
from ._code import loaded_in
from .base import Problem, Right, Rule, Wrong, code_of, model

INIT = re.compile(r"^\s*((?:self\.)?\w+)\s*=\s*(self\.init_?\w*(?:hidden|state)\w*)\(", re.MULTILINE)

RULE = Rule(
    code="FL504",
    name="state-never-passed",
    summary="an initial state is made, and the layer is called without it",
    torch="silent",
    explanation="""
The state that `init_hidden` makes is kept under a name that nothing reads, and the layer is called without a state:
it starts from zeros. Either the state was meant to be passed, or the line can go.
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def init_hidden(self, batch):
        return torch.ones(1, batch, 6)

    def forward(self, x):
        hidden = self.init_hidden(x.size(1))
        output, _ = self.gru(x)  # FL504
        return output
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def init_hidden(self, batch):
        return torch.ones(1, batch, 6)

    def forward(self, x):
        hidden = self.init_hidden(x.size(1))
        output, _ = self.gru(x, hidden)
        return output
""",
    example_input="T=7 B=4 I=5",
    invalid=(
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def init_state(self, batch):
        return torch.ones(1, batch, 6)

    def forward(self, x):
        h0 = self.init_state(x.size(1))
        output, h_n = self.gru(x)  # FL504
        return output
""",
            "differs",
            "T=7 B=4 I=5",
        ),
    ),
    valid=(
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)
        self.top = nn.GRU(6, 6)

    def init_hidden(self, batch):
        return torch.ones(1, batch, 6)

    def forward(self, x):
        hidden = self.init_hidden(x.size(1))
        output, _ = self.gru(x)
        return self.top(output, hidden)[0]
""",
            "T=7 B=4 I=5",
        ),
        Right(model("self.gru = nn.GRU(5, 6)", "return self.gru(x)[0]")),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    node = fact.where.node
    if fact.state is not None or node is None or not fact.where.in_class or fact.where.function != "forward":
        return
    loaded = loaded_in(node)
    for match in INIT.finditer(code_of(node)):
        name, maker = match[1], match[2]
        if name.startswith("self.") or name in loaded:
            continue
        arguments = [code_of(each).rstrip(", ") for each in fact.call.args]
        yield Problem(
            fact.node,
            f"{name} is made by {maker}() and never read: this {fact.layer.label} starts from zeros",
            fact.layer,
            ((fact.node, f"{code_of(fact.call.func)}({', '.join([*arguments, name])})"),),
            f"Pass {name} to the layer",
        )
