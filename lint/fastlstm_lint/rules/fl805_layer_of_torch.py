"""FL805: a layer or cell of torch's that fastlstm computes faster on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ..facts import Made
from ..layers import Recurrent
from ..nodes import code_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL805",
    name="layer-of-torch",
    summary="a recurrent layer or cell of torch's where fastlstm.torch has the same, faster on a CPU",
    torch="slow",
    explanation="""
`fastlstm.torch.LSTM` and its like take the same arguments, have the same parameters under the same names, load the same
`state_dict` and compute the same numbers but for rounding, several times faster on a CPU. Elsewhere, on a GPU or with
what they do not serve, they hand the call to torch. `fastlstm lint --migrate` lists the places, and with `--fix`
replaces them. Without a change of the classes, `fastlstm.torch.accelerate(model)` does it to a model that is built.
""",
    wrong=model("self.lstm = nn.LSTM(5, 6, batch_first=True)  # FL805", "return self.lstm(x)[0]"),
    right="import fastlstm.torch\n"
    + model("self.lstm = fastlstm.torch.LSTM(5, 6, batch_first=True)", "return self.lstm(x)[0]"),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)  # FL805\nself.cell = nn.GRUCell(6, 6)  # FL805",
                "return self.cell(self.gru(x)[0][-1])",
            ),
            "same",
        ),
        Wrong(
            "import torch\nfrom torch import nn\n"
            + "from torch.nn import RNN as Plain\n"
            + model("self.rnn = Plain(5, 6, nonlinearity='relu')  # FL805", "return self.rnn(x)[0]"),
            "same",
        ),
    ),
    valid=(
        Right(
            "import torch\nfrom torch import nn\nimport fastlstm.torch as quick\nfrom fastlstm.torch import GRU\n"
            + model("self.gru, self.rnn = GRU(5, 6), quick.RNN(6, 6)", "return self.rnn(self.gru(x)[0])[0]")
        ),
        Right(
            "import torch\nfrom torch import nn\nimport fastlstm.torch\n"
            + model("self.gru = nn.GRU(5, 6)", "return self.gru(x)[0]")
            + "\nmodel = fastlstm.torch.accelerate(Model())\n"
        ),
    ),
    fixable="safe",
    default=False,
)


@lru_cache(maxsize=1)  # a program is searched once, not for each of its layers
def _is_accelerated(code: str) -> bool:
    return "accelerate(" in code and "fastlstm" in code


@RULE.on(Made)
def check(fact: Made) -> Iterator[Problem]:
    layer = fact.module
    if not isinstance(layer, Recurrent) or layer.library != "torch.nn" or layer.subclass or "device" in fact.nodes:
        return
    if _is_accelerated(fact.node.text.code):
        return
    name = f"fastlstm.torch.{layer.kind}{'Cell' if layer.is_cell else ''}"
    yield Problem(
        fact.node,
        f"on a CPU {name} computes the same, faster",
        edits=((fact.call.func, name),),
        fix=f"Replace {code_of(fact.call.func)} by {name}",
        safe=True,
        imports="fastlstm.torch",
    )
