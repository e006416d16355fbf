"""FL607: probabilities instead of log-probabilities in the negative log-likelihood."""

from __future__ import annotations

from .. import cst
from ..facts import Fact
from ._losses import on_probabilities
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL607",
    name="softmax-before-nll",
    summary="NLLLoss gets probabilities instead of log-probabilities",
    torch="silent",
    explanation="""
`nn.NLLLoss` and `F.nll_loss` take the logarithms of probabilities and do no more than pick and negate them. Given
probabilities from a softmax the loss is between -1 and 0, and its gradient does not grow where the model is wrong. Use
`log_softmax`, or hand logits to `cross_entropy`, which is both in one.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
        """
scores = F.softmax(self.head(self.gru(x)[1][-1]), dim=1)
return F.nll_loss(scores, torch.zeros(4, dtype=torch.long))  # FL607
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
        """
scores = F.log_softmax(self.head(self.gru(x)[1][-1]), dim=1)
return F.nll_loss(scores, torch.zeros(4, dtype=torch.long))
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Sequential(nn.Linear(6, 3), "
                "nn.Softmax(dim=1))\nself.loss = nn.NLLLoss()",
                "scores = self.head(self.gru(x)[1][-1])\n"
                "return self.loss(scores, torch.zeros(4, dtype=torch.long))  # FL607",
            ),
            "differs",
            fixed=model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Sequential(nn.Linear(6, 3), "
                "nn.LogSoftmax(dim=1))\nself.loss = nn.NLLLoss()",
                "return self.loss(self.head(self.gru(x)[1][-1]), torch.zeros(4, dtype=torch.long))",
            ),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 3)",
                """
scores = torch.softmax(self.head(self.gru(x)[1][-1]), dim=1)
return F.nll_loss(torch.log(scores), torch.zeros(4, dtype=torch.long)), scores
""",
            )
        ),
    ),
    fixable="unsafe",
)

MESSAGE = "this loss takes log-probabilities and these are probabilities from a softmax: use log_softmax"


def _problem(fact: Fact, softmax: cst.BaseExpression | None) -> Problem:
    """The finding; its fix renames a function `softmax`."""
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if isinstance(softmax, cst.Call) and isinstance(softmax.func, cst.Attribute):
        owner = softmax.func.value
        own = isinstance(owner, cst.Name) and owner.value == "self"
        if softmax.func.attr.value == "softmax" and not own:
            edits = ((softmax.func.attr, "log_softmax"),)
    return Problem(fact.node, MESSAGE, edits=edits, fix="Take log_softmax")


on_probabilities(RULE, "NLLLoss", "nll_loss", _problem)
