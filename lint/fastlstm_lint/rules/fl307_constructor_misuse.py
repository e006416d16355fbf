"""FL307: constructor arguments that torch refuses."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..dims import words
from ..facts import Made
from ..layers import Recurrent
from ..nodes import code_of
from ..signatures.recurrent import RECURRENT
from ..values import Const
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL307",
    name="constructor-misuse",
    summary="a constructor argument that the layer does not take",
    torch="crash",
    explanation="""
Only LSTM has proj_size, and it must be smaller than hidden_size. Cells have no batch_first, num_layers, dropout or
bidirectional: they are one layer and one step. A keyword that torch does not know is refused. Sizes are integers; `/`
makes a float, `//` does not.
""",
    wrong=model("self.cell = nn.LSTMCell(5, 6, batch_first=True)  # FL307", "return self.cell(x)[0]"),
    right=model("self.cell = nn.LSTMCell(5, 6)", "return self.cell(x)[0]"),
    example_input="B=4 I=5",
    invalid=(
        Wrong(model("self.gru = nn.GRU(5, 6, proj_size=3)  # FL307", "return self.gru(x)[0]"), "crash"),
        Wrong(model("self.lstm = nn.LSTM(5, 6, dropout_rate=0.3)  # FL307", "return self.lstm(x)[0]"), "crash"),
        Wrong(model("self.lstm = nn.LSTM(5, 6, proj_size=6)  # FL307", "return self.lstm(x)[0]"), "crash"),
        Wrong(model("self.gru = nn.GRU(5, hidden / 2)  # FL307", "return self.gru(x)[0]", "hidden=6"), "crash"),
    ),
    valid=(
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6 // 2, proj_size=2)\nself.rnn = nn.RNN(2, 3, 1, 'relu')",
                "return self.rnn(self.lstm(x)[0])[0]",
            )
        ),
    ),
    unfixable=(
        "The argument is wrong for the layer, and what was meant instead (another layer, another size, "
        "nothing at all) is not to be seen."
    ),
)

KNOWN = frozenset(words(" ".join(RECURRENT.values()) + " device dtype"))
"""Keywords that one of torch's constructors takes."""

NOT_OF_CELLS = ("batch_first", "num_layers", "dropout", "bidirectional", "proj_size")


@RULE.on(Made)
def check(fact: Made) -> Iterator[Problem]:
    layer = fact.module
    if not isinstance(layer, Recurrent):
        return
    message = _misuse(layer, fact)
    if message is not None:
        yield Problem(fact.node, message)


def _misuse(layer: Recurrent, fact: Made) -> str | None:
    if layer.is_cell:
        for name in NOT_OF_CELLS:
            if name in fact.nodes:
                return f"{layer.label} has no {name}: a cell is one layer and one step"
    if layer.library == "torch.nn" and isinstance(fact.call, cst.Call):
        for argument in fact.call.args:
            if argument.keyword is not None and argument.keyword.value not in KNOWN:
                return f"{layer.label} has no {argument.keyword.value}: torch refuses arguments that it does not know"
    if layer.kind != "LSTM" and "proj_size" in fact.nodes:
        return f"{layer.label} has no proj_size: only LSTM has"
    projected, hidden = layer.proj_size.value, layer.hidden_size.value
    if projected and hidden and projected >= hidden:
        return f"proj_size={projected} must be smaller than hidden_size={hidden}"
    for name in ("input_size", "hidden_size", "num_layers", "proj_size"):
        node, value = fact.nodes.get(name), fact.arguments.get(name)
        divided = isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide)
        if node is not None and (divided or (isinstance(value, Const) and isinstance(value.value, float))):
            return f"{name}={code_of(node)} is a float; sizes are integers" + (", use //" if divided else "")
    return None
