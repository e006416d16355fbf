"""FL601: softmax in front of a cross entropy that has its own."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Applied, ModuleCalled
from ..values import Opaque, Tensor, Value
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
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        scores = F.log_softmax(self.head(self.gru(x)[1][-1]), dim=1)
        return F.nll_loss(scores, torch.zeros(4, dtype=torch.long)), torch.softmax(scores, 1)
"""
        ),
    ),
)

MESSAGE = "cross entropy applies log-softmax itself; these are probabilities from a softmax: pass the logits"


def _probabilities(value: Value | None) -> bool:
    return isinstance(value, (Tensor, Opaque)) and "softmax" in value.traits


@RULE.on(ModuleCalled)
def check_module(fact: ModuleCalled) -> Iterator[Problem]:
    if fact.module.kind == "CrossEntropyLoss" and _probabilities(fact.input):
        yield Problem(fact.node, MESSAGE)


@RULE.on(Applied)
def check_function(fact: Applied) -> Iterator[Problem]:
    if fact.name == "cross_entropy" and _probabilities(fact.arguments.get("input")):
        yield Problem(fact.node, MESSAGE)
