"""FL601: softmax in front of a cross entropy that has its own."""

from __future__ import annotations

from .. import cst
from ..facts import Fact
from ..nodes import code_of
from ._code import argument, last_word
from ._losses import on_probabilities
from .base import Problem, Right, Rule, Wrong

RULE = Rule(
    code="FL601",
    name="softmax-before-cross-entropy",
    summary="CrossEntropyLoss gets probabilities instead of logits",
    torch="silent",
    explanation="""
`nn.CrossEntropyLoss` and `F.cross_entropy` take logits and apply log-softmax themselves. After a softmax the loss can
hardly fall: with two classes it stays above 0.31 however right the model is, and gradients are small everywhere. Hand
over the logits; take the softmax only to show probabilities.
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        scores = torch.softmax(self.head(self.gru(x)[1][-1]), dim=1)
        return self.loss(scores, torch.zeros(4, dtype=torch.long))  # FL601
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        scores = self.head(self.gru(x)[1][-1])
        return self.loss(scores, torch.zeros(4, dtype=torch.long))
""",
    invalid=(
        Wrong(
            """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.softmax(self.head(output[:, -1]))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tagger = Tagger()

    def forward(self, x):
        return F.cross_entropy(self.tagger(x), torch.zeros(4, dtype=torch.long))  # FL601
""",
            "differs",
            fixed="""
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.head(output[:, -1])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tagger = Tagger()

    def forward(self, x):
        return F.cross_entropy(self.tagger(x), torch.zeros(4, dtype=torch.long))
""",
        ),
    ),
    valid=(
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Sequential(nn.Softmax(dim=1), nn.Linear(6, 3))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        scores = self.head(self.gru(x)[1][-1])
        likelihoods = torch.log(torch.softmax(scores, dim=1))
        target = torch.zeros(4, dtype=torch.long)
        return self.loss(scores, target), self.loss(likelihoods, target)
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        scores = F.log_softmax(self.head(self.gru(x)[1][-1]), dim=1)
        return F.nll_loss(scores, torch.zeros(4, dtype=torch.long)), torch.softmax(scores, 1)
"""
        ),
    ),
    fixable="unsafe",
)

MESSAGE = "cross entropy applies log-softmax itself; these are probabilities from a softmax: pass the logits"


def _problem(fact: Fact, softmax: cst.BaseExpression | None) -> Problem:
    """The finding; its fix takes the softmax away."""
    logits = _logits(softmax)
    edits = () if softmax is None or logits is None else ((softmax, code_of(logits)),)
    return Problem(fact.node, MESSAGE, edits=edits, fix="Hand over the logits")


def _logits(node: cst.BaseExpression | None) -> cst.BaseExpression | None:
    """What goes into a softmax: of `F.softmax(z, 1)`, `torch.softmax(z, 1)`, `z.softmax(1)`, `nn.Softmax(1)(z)`."""
    if not isinstance(node, cst.Call):
        return None
    if isinstance(node.func, cst.Call):
        return argument(node, 0, "input") if last_word(node.func.func) == "Softmax" else None
    if not isinstance(node.func, cst.Attribute) or node.func.attr.value != "softmax":
        return None
    library = isinstance(node.func.value, cst.Name) and node.func.value.value in ("F", "torch", "functional")
    if library or code_of(node.func.value).endswith("functional"):
        return argument(node, 0, "input")
    # `self.softmax(z)` is a module, `z.softmax(1)` a method.
    return argument(node, 0, "input") if code_of(node.func) == "self.softmax" else node.func.value


on_probabilities(RULE, "CrossEntropyLoss", "cross_entropy", _problem)
