"""FL209: a sequence of one step, without a state."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of, walk
from ..signatures.recurrent import given_states
from ..values import Tensor
from ._code import assignment_of, leaves, names_in, parameters_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL209",
    name="length-one-sequence",
    summary="the sequence has one step and no state is carried: the layer never recurs",
    torch="silent",
    explanation="""
A recurrent layer that gets one time step and starts from zeros every time is a feed-forward layer with unused
recurrent weights. It usually comes from `unsqueeze` on the wrong axis, or from `view(batch, 1, features)` where the
features are the steps. If stepping was meant, pass the state of the step before.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)",
        "output, _ = self.lstm(x.unsqueeze(1))  # FL209\nreturn output[:, -1]",
    ),
    right=model(
        "self.lstm = nn.LSTM(1, 6, batch_first=True)",
        "output, _ = self.lstm(x.unsqueeze(2))\nreturn output[:, -1]",
    ),
    example_input="B=4 I=5",
    invalid=(
        Wrong(
            model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.view(1, -1, 5))  # FL209\nreturn output"),
            "differs",
            "T=7 I=5",
            fixed=model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.view(-1, 1, 5))\nreturn output"),
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
h_0 = torch.zeros(1, x.size(0), 6)
output, _ = self.lstm(x.view(x.size(0), 1, -1), (h_0, torch.zeros_like(h_0)))  # FL209
return output
""",
            ),
            "differs",
            "B=4 I=5",
            fixed=model("self.lstm = nn.LSTM(1, 6, batch_first=True)", "return self.lstm(x.unsqueeze(2))[0]"),
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)\nself.state = None",
                "output, self.state = self.gru(x.unsqueeze(0), self.state)\nreturn output",
            ),
            "B=4 I=5",
        ),
        Right(model("self.gru = nn.GRU(5, 6)", "output, h_n = self.gru(x.unsqueeze(1))\nreturn output"), "T=7 I=5"),
    ),
    likely=True,
    unfixable=(
        "Which axis was meant to be time is not in the program: it may be the one that was put in with size "
        "1, or one that a reshape took away."
    ),
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    if fact.layer.is_cell or fact.packed or fact.time != 1 or fact.batch == 1:
        return
    if fact.state is not None and not _fresh(fact):
        return
    if _hands_on(fact) and (fact.state is not None or fact.where.came is None):
        return
    if fact.where.in_class and not fact.where.loops and fact.batch is not None:
        yield Problem(
            fact.node,
            "the sequence has one time step and starts from zeros, so the layer never recurs. Time may be another axis",
            fact.layer,
            holds=lambda: not fact.layer.stepped,
        )


def _hands_on(fact: LayerCalled) -> bool:
    """Whether the function returns the state as it is: a caller may hand it in at the next step."""
    statement = assignment_of(fact.where.body, fact.node)
    states: set[str] = set()
    for target in () if statement is None else statement.targets:
        if isinstance(target.target, cst.Tuple) and len(target.target.elements) == 2:
            states = {code_of(leaf) for leaf in leaves(target.target.elements[1].value)}
    returned = (each.value for each in walk(fact.where.body) if states and isinstance(each, cst.Return))
    return any(
        not states.isdisjoint(code_of(leaf) for leaf in leaves(value)) for value in returned if value is not None
    )


def _fresh(fact: LayerCalled) -> bool:
    """Whether the state is zeros made in this very call of the model: nothing is carried."""
    function, node = fact.where.node, fact.state_node
    if isinstance(function, cst.FunctionDef) and node is not None and parameters_of(function) & names_in(node):
        return False  # one step of a loop that is elsewhere
    states = given_states(fact.layer, fact.state)
    return bool(states) and all(
        isinstance(state, Tensor) and state.origin is not None and state.origin.inside and "zeros" in state.traits
        for _, state in states
    )
