"""FL506: the result of a layer unpacked into the wrong shape."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Unpacked
from ..layers import Recurrent
from ..nodes import code_of
from ..values import Packed, Tensor, Tup
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL506",
    name="state-unpack-arity",
    summary="out, h, c = lstm(x), or out, (h, c) = gru(x)",
    torch="crash",
    explanation="""
A layer returns two things: the output and the final state. An LSTM's state is a tuple `(h_n, c_n)`, a GRU's or RNN's
is one tensor. `out, h, c = lstm(x)` raises. `out, (h, c) = gru(x)` takes h_n apart along its first axis: it raises,
or, with two layers or directions, silently gives the states of two layers.
""",
    wrong=model("self.lstm = nn.LSTM(5, 6)", "output, h_n, c_n = self.lstm(x)  # FL506\nreturn output, h_n"),
    right=model("self.lstm = nn.LSTM(5, 6)", "output, (h_n, c_n) = self.lstm(x)\nreturn output, h_n"),
    invalid=(
        Wrong(model("self.gru = nn.GRU(5, 6)", "output, (h, c) = self.gru(x)  # FL506\nreturn output"), "crash"),
        Wrong(
            model("self.gru = nn.GRU(5, 6, bidirectional=True)", "_, (h, c) = self.gru(x)  # FL506\nreturn h"),
            "differs",
            fixed=model("self.gru = nn.GRU(5, 6, bidirectional=True)", "_, h = self.gru(x)\nreturn h"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True)",
                "_, (forth, back) = self.gru(x)\nreturn torch.cat([forth, back], 1)",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)\nself.gru = nn.GRU(6, 6)",
                "output, state = self.lstm(x)\nh, c = state\noutput, *rest = self.gru(output)\nreturn output",
            )
        ),
    ),
    fixable="safe",
)


@RULE.on(Unpacked)
def check(fact: Unpacked) -> Iterator[Problem]:
    value, target = fact.value, fact.target
    if not isinstance(value, Tup) or value.kind != "layer" or not isinstance(target, (cst.Tuple, cst.List)):
        return
    names = [element.value for element in target.elements]
    if any(isinstance(element, cst.StarredElement) for element in target.elements):
        return
    output, state = value.items
    origin = output.origin if isinstance(output, (Tensor, Packed)) else None
    layer = origin.layer if origin is not None and isinstance(origin.layer, Recurrent) else None
    label = "a layer" if layer is None else layer.label
    if len(names) == 3 and isinstance(state, Tup):
        first, second, third = (code_of(name) for name in names)
        yield Problem(
            fact.node,
            f"{label} returns (output, (h_n, c_n)): two things, not three",
            layer,
            ((target, f"{first}, ({second}, {third})"),) if not code_of(target).startswith("(") else (),
            "Put the states in parentheses",
            safe=True,
        )
    elif len(names) == 2 and isinstance(state, Tensor) and isinstance(names[1], (cst.Tuple, cst.List)):
        last = code_of(names[1].elements[-1].value)
        if state.sizes[0] == len(names[1].elements) and not last.startswith("c"):
            return  # one row for each name, and none is called a cell state: those of two directions or layers
        yield Problem(
            fact.node, f"{label} returns one state {state}, not a tuple: this takes its first axis apart", layer
        )
