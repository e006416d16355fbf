"""FL309: a dropout or a size in the place of `bias`."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Made
from ..layers import Recurrent
from ..nodes import code_of
from ..signatures.recurrent import RECURRENT
from ..values import Const, Num
from ._code import last_word
from .base import Problem, Right, Rule, Wrong, model

MEANT = {"drop": "dropout", "batch_first": "batch_first", "bidirectional": "bidirectional", "proj": "proj_size"}

RULE = Rule(
    code="FL309",
    name="positional-bias-slot",
    summary="the 4th positional argument of a recurrent layer is bias, not dropout",
    torch="crash",
    explanation="""
The constructor is `(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)`. A dropout given
as the 4th argument is taken for `bias`. Recent versions of torch refuse a bias that is not a bool; older ones take
any number but 0 for True, so that there is no dropout, and 0 switches the biases off. (For RNN the 4th is
`nonlinearity`, for cells the 3rd is `bias`.) Name the argument.
""",
    wrong=model("self.gru = nn.GRU(5, 6, 2, 0.0)  # FL309", "return self.gru(x)[0]"),
    right=model("self.gru = nn.GRU(5, 6, 2, dropout=0.0)", "return self.gru(x)[0]"),
    invalid=(
        Wrong(
            model("self.gru = nn.GRU(5, 6, layers, dropout)  # FL309", "return self.gru(x)[0]", "layers=2, dropout=0"),
            "crash",
        ),
        Wrong(
            model("self.rnn = nn.RNN(5, 6, 2, 0.5)  # FL309", "return self.rnn(x)[0]"),
            "crash",
        ),
    ),
    valid=(
        Right(model("self.gru = nn.GRU(5, 6, 2, True, False, 0.5, True)", "return self.gru(x)[0]")),
        Right(model("self.rnn = nn.RNN(5, 6, 2, 'relu', bias)", "return self.rnn(x)[0]", "bias=False")),
        Right(model("self.gru = nn.GRU(5, 6, 1, use_bias)", "return self.gru(x)[0]", "use_bias=True")),
    ),
    fixable="unsafe",
)


@RULE.on(Made)
def check(fact: Made) -> Iterator[Problem]:
    layer = fact.module
    if not isinstance(layer, Recurrent) or any(each.star for each in fact.call.args):
        return
    at = 2 if layer.is_cell else 3
    slot = "nonlinearity" if layer.kind == "RNN" and not layer.is_cell else "bias"
    plain = [each for each in fact.call.args if each.keyword is None]
    if len(plain) <= at or fact.nodes.get(slot) is not plain[at].value:
        return
    node, value = plain[at].value, fact.arguments.get(slot)
    word = last_word(node).lower()
    meant = next((name for part, name in MEANT.items() if part in word), None)
    number = isinstance(value, Num) or (isinstance(value, Const) and isinstance(value.value, float))
    if meant is None and number:
        meant = "dropout"
    if meant is None:
        return
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if (
        not layer.is_cell
        and len(plain) == at + 1
        and not any(each.keyword is not None and each.keyword.value == meant for each in fact.call.args)
    ):
        edits = ((node, f"{meant}={code_of(node)}"),)
    own = ("input_size", "hidden_size", "bias") if layer.is_cell else RECURRENT[layer.kind].split()
    text = code_of(node)
    yield Problem(
        fact.node,
        f"{text} is given for {slot}: the arguments of {layer.label} are {', '.join(own[: at + 1])}. "
        + (f"Write {meant}={text}" if meant in own else "A cell is one layer: it has neither num_layers nor dropout"),
        edits=edits,
        fix=f"Name the argument: {meant}",
    )
