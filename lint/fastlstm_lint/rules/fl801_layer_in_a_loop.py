"""FL801: a layer called once for each step of an input that is all there."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import LayerCalled
from ..nodes import code_of
from ._loops import carried_only, inputs_known
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL801",
    name="layer-in-a-loop",
    summary="a loop calls a recurrent layer once per step, where one call takes the whole sequence",
    torch="slow",
    explanation="""
A recurrent layer loops over time itself, in compiled code. A loop in Python that hands it one step after the other and
carries the state pays for a call, its checks and its memory in every step, and gives up the one large product of all
steps' inputs. Where no step's input depends on an earlier output, one call with the whole sequence gives the same.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6)",
        """
h, outputs = torch.zeros(1, x.size(1), 6), []
for t in range(x.size(0)):
    output, h = self.gru(x[t].unsqueeze(0), h)  # FL801
    outputs.append(output)
return torch.cat(outputs)
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6)",
        "outputs, h = self.gru(x, torch.zeros(1, x.size(1), 6))\nreturn outputs",
    ),
    example_input="T=7 B=4 I=5",
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
state = (torch.zeros(1, x.size(0), 6), torch.zeros(1, x.size(0), 6))
for t in range(x.size(1)):
    output, state = self.lstm(x[:, t : t + 1, :], state)  # FL801
return output
""",
            ),
            "slow",
            fixed=model("self.lstm = nn.LSTM(5, 6, batch_first=True)", "return self.lstm(x)[0][:, -1:]"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 5)",
                """
h, word = torch.zeros(1, x.size(1), 5), x[:1, :, :]
for t in range(3):
    word, h = self.gru(word, h)
return word
""",
            ),
            "T=7 B=4 I=5",
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
h = torch.zeros(1, x.size(1), 6)
for t in range(x.size(0)):
    output, h = self.gru(x[t].unsqueeze(0), h)
    h = h * (x[t, :, :1] > 0)
return output
""",
            ),
            "T=7 B=4 I=5",
        ),
    ),
    default=False,
    likely=True,
    unfixable="What becomes of the outputs in the loop has to be written anew for the whole sequence.",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    if fact.layer.is_cell or fact.time != 1 or not inputs_known(fact) or not carried_only(fact):
        return
    yield Problem(
        fact.node,
        f"{code_of(fact.call.func)} is called once per step, and every step's input is known before the loop: one call "
        "with the whole sequence gives the same, faster",
        fact.layer,
    )
