"""FL501: a loop over time that never carries the state on."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of, walk
from ._code import argument, assignment_of, bound_in, changed_in, leaves, names_in, parameters_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL501",
    name="state-not-carried",
    summary="a loop over time calls the layer with a state that the loop never changes",
    torch="silent",
    explanation="""
Stepping by hand means giving each step the state of the step before. If the loop passes the same initial state every
time, each step starts from nothing and the layer has no memory. Assign the new state to the name that is passed in.
""",
    wrong=model(
        "self.cell = nn.GRUCell(5, 6)",
        """
h = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    out = self.cell(x[:, t, :], h)  # FL501
return out
""",
    ),
    right=model(
        "self.cell = nn.GRUCell(5, 6)",
        """
h = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h = self.cell(x[:, t, :], h)
return h
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
state = (torch.zeros(1, x.size(0), 6), torch.zeros(1, x.size(0), 6))
outputs = []
for t in range(x.size(1)):
    output, _ = self.lstm(x[:, t, :].unsqueeze(0), state)  # FL501
    outputs.append(output)
return torch.cat(outputs)
""",
            ),
            "differs",
            fixed=model("self.lstm = nn.LSTM(5, 6)", "return self.lstm(x.transpose(0, 1))[0]"),
        ),
        Wrong(
            model(
                "self.cell = nn.LSTMCell(5, 6)",
                """
h, c = torch.zeros(x.size(0), 6), torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    out, memory = self.cell(x[:, t], (h, c))  # FL501
return out, memory
""",
            ),
            "differs",
            fixed=model(
                "self.cell = nn.LSTMCell(5, 6)",
                """
h, c = torch.zeros(x.size(0), 6), torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h, c = self.cell(x[:, t], (h, c))
return h
""",
            ),
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
start = torch.zeros(1, x.size(0), 6)
for t in range(x.size(1)):
    output, last = self.gru(x[:, t].unsqueeze(0), start)  # FL501
return last
""",
            ),
            "differs",
            fixed=model("self.gru = nn.GRU(5, 6)", "return self.gru(x.transpose(0, 1))[1]"),
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 5)",
                """
h = torch.ones(1, x.size(1), 5)
word, words = x.new_zeros(1, x.size(1), 5), []
for _ in range(4):
    word, _ = self.gru(word, h)  # FL501
    words.append(word)
return torch.cat(words)
""",
            ),
            "differs",
            "T=7 B=4 I=5",
        ),
    ),
    valid=(
        Right(
            model(
                "self.cell = nn.LSTMCell(5, 6)",
                """
h, c = torch.zeros(x.size(0), 6), torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h, c = self.cell(x[:, t, :], (h, c))
return h
""",
            )
        ),
        Right(
            model(
                "self.cells = nn.ModuleList([nn.GRUCell(5, 5) for _ in range(2)])",
                """
h = torch.zeros(x.size(0), 5)
y = x[:, 0, :]
for cell in self.cells:
    y = cell(y, h)
return y
""",
            )
        ),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(LayerCalled)
def check_call_of_a_step(fact: LayerCalled) -> Iterator[Problem]:
    """The same with the layer in a function, such as a model's forward, that the loop calls."""
    came, function = fact.where.came, fact.where.node
    loop = came.loops[-1] if came is not None and came.loops else None
    if came is None or not isinstance(loop, cst.For) or not isinstance(function, cst.FunctionDef) or fact.where.loops:
        return
    if fact.state_node is None or fact.where.foreign or not (fact.layer.is_cell or fact.time == 1):
        return
    own = assignment_of(function, fact.node)
    changed = {
        name for each in walk(function) if isinstance(each, cst.Assign) and each is not own for name in bound_in(each)
    }
    handed = names_in(fact.state_node)
    if handed & changed or not handed <= parameters_of(function):
        return
    order = [each.name.value for each in function.params.params]
    at = {name: order.index(name) - (order[:1] == ["self"]) for name in handed if name in order}
    given = [argument(came.call, at[name], name) for name in sorted(at)]
    if len(at) < len(handed) or any(not isinstance(each, (cst.Name, cst.Tuple)) for each in given):
        return
    passed = {name for each in given if each is not None for name in names_in(each)}
    moving = names_in(loop.target) | changed_in(loop.body)
    if passed & moving or not names_in(came.call) - passed & moving:
        return
    text = ", ".join(code_of(each) for each in given if each is not None)
    yield Problem(
        came.call, f"every step of this loop starts from the same {text}: nothing in the loop changes it", fact.layer
    )


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    loop = fact.where.loops[-1] if fact.where.loops else None
    if not isinstance(loop, cst.For) or fact.state_node is None or fact.input_node is None:
        return
    if not fact.layer.is_cell and fact.time != 1:
        return
    steps, given = names_in(loop.target), names_in(fact.input_node)
    # An input that the loop makes anew, from the output or from anywhere, is another one in every step.
    if not (given & (steps | bound_in(loop.body))) or steps & names_in(fact.call.func):
        return
    passed = names_in(fact.state_node)
    if steps & passed or passed & bound_in(loop.body) or not isinstance(fact.state_node, (cst.Name, cst.Tuple)):
        return
    yield Problem(
        fact.node,
        f"every step of this loop starts from the same {code_of(fact.state_node)}: nothing in the loop changes it",
        fact.layer,
        _carried(fact, loop.body),
        "Assign the new state to the name that is passed in",
    )


def _carried(fact: LayerCalled, body: cst.BaseSuite) -> tuple[tuple[cst.CSTNode, str], ...]:
    """The assignment of the call's result, with the state's name among its targets."""
    statement, state = assignment_of(body, fact.node), fact.state_node
    if (
        statement is None
        or state is None
        or not all(isinstance(leaf, (cst.Name, cst.Attribute)) for leaf in leaves(state))
    ):
        return ()
    target, text = statement.targets[-1].target, code_of(state)
    if fact.layer.is_cell:
        return ((target, f"{code_of(target)} = {text}"),)
    if not isinstance(target, cst.Tuple) or len(target.elements) != 2:
        return ()
    new = target.elements[1].value
    if isinstance(new, cst.Name) and new.value == "_":
        return ((new, text),)
    return ((target, f"{code_of(target)} = _, {text}"),)
