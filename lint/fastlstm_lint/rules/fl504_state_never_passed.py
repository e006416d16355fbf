"""FL504: an initial state that is made and never used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import cst
from ..dims import words
from ..facts import LayerCalled
from ..nodes import code_of, walk
from ..values import Class, Function, Instance
from ._code import last_word, loaded_in
from .base import Problem, Right, Rule, Wrong, model

INIT = re.compile(r"init_?\w*(?:hidden|state)\w*")

ZEROS = frozenset(words("zeros zeros_like new_zeros zero_"))
FILLED = ZEROS | frozenset(
    words("ones ones_like rand randn rand_like randn_like normal_ uniform_ xavier_normal_ Parameter")
)

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
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def init_hidden(self, batch):
        return torch.ones(1, batch, 6)

    def forward(self, x):
        self.hidden = self.init_hidden(x.size(1))
        output, _ = self.gru(x)  # FL504
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

    def init_hidden(self, batch):
        return torch.ones(1, batch, 6)

    def step(self, x):
        output, self.hidden = self.gru(x, self.hidden)
        return output

    def forward(self, x):
        self.hidden = self.init_hidden(x.size(1))
        return self.step(x) + self.gru(x)[0]
""",
            "T=7 B=4 I=5",
        ),
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
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def init_hidden(self, batch):
        return torch.zeros(1, batch, 6)

    def forward(self, x):
        hidden = self.init_hidden(x.size(1))
        return self.gru(x)[0]
""",
            "T=7 B=4 I=5",
        ),
    ),
    fixable="unsafe",
    likely=True,
)


def _methods(instance: Instance | None) -> set[str]:
    """The names that the classes of an object define, those of the library left out."""
    found: set[str] = set()
    classes = [] if instance is None else [instance.cls]
    for cls in classes:
        found.update(cls.body)
        classes += [base for base in cls.bases if isinstance(base, Class) and base not in classes]
    return found


def _made(function: cst.CSTNode) -> list[tuple[str, str]]:
    """The names in a function that hold what a method such as `self.init_hidden` returns, and these methods."""
    found = []
    for each in walk(function):
        if not isinstance(each, cst.Assign) or not isinstance(each.value, cst.Call):
            continue
        maker, target = each.value.func, each.targets[0].target
        if not isinstance(target, (cst.Name, cst.Attribute)) or not isinstance(maker, cst.Attribute):
            continue
        if INIT.fullmatch(maker.attr.value) and code_of(maker.value) == "self":
            found.append((code_of(target), code_of(maker)))
    return found[::-1]  # `walk` goes from the end


def _gives_zeros(instance: Instance | None, maker: str) -> bool:
    """Whether a method fills what it makes with zeros and nothing else: without a state, the layer starts from them."""
    method = None if instance is None else instance.cls.find(maker.removeprefix("self."))
    if not isinstance(method, Function):
        return False
    filled = {last_word(each.func) for each in walk(method.node) if isinstance(each, cst.Call)} & FILLED
    return bool(filled) and filled <= ZEROS


def _loaded_by(instance: Instance | None) -> set[str]:
    """What the methods of an object's class read."""
    return set() if instance is None else loaded_in(instance.cls.node)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    node = fact.where.node
    if fact.state is not None or node is None or not fact.where.in_class or fact.where.function != "forward":
        return
    made = _made(node) if any(INIT.fullmatch(name) for name in _methods(fact.where.instance)) else []
    loaded = loaded_in(node) if made else set()
    for name, maker in made:
        if (
            name in loaded
            or _gives_zeros(fact.where.instance, maker)
            or ("." in name and name in _loaded_by(fact.where.instance))
        ):
            continue
        arguments = [code_of(each).rstrip(", ") for each in fact.call.args]
        yield Problem(
            fact.node,
            f"{name} is made by {maker}() and never read: this {fact.layer.label} starts from zeros",
            fact.layer,
            ((fact.node, f"{code_of(fact.call.func)}({', '.join([*arguments, name])})"),),
            f"Pass {name} to the layer",
        )
