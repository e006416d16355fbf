"""FL509: the output of a recurrent layer is never read, and its input goes on in its place."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..facts import Unpacked
from ..layers import Recurrent
from ..nodes import children, code_of
from ..values import Tensor, Tup, resolve
from ._code import leaves, names_in, parameters_of
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL509",
    name="output-never-read",
    summary="the output of a recurrent layer is never read, and its input is used instead",
    torch="silent",
    explanation="""
`y, state = self.rnn(x, state)` followed by `self.head(x)`: the layer runs, its state is carried from call to call, and
nothing that the model computes depends on it. Where sizes differ torch raises; where they happen to agree the model
is a feed-forward one, and the layer's weights never change.
""",
    wrong=model(
        "self.gru = nn.GRU(5, 5, batch_first=True)\nself.head = nn.Linear(5, 2)",
        "y, state = self.gru(x)\nreturn self.head(x), state  # FL509",
    ),
    right=model(
        "self.gru = nn.GRU(5, 5, batch_first=True)\nself.head = nn.Linear(5, 2)",
        "y, state = self.gru(x)\nreturn self.head(y), state",
    ),
    example_proof="differs",
    invalid=(
        Wrong(
            model(
                "self.embed = nn.Linear(5, 6)\nself.lstm = nn.LSTM(6, 6)\nself.head = nn.Linear(6, 2)",
                """
features = torch.relu(self.embed(x))
out, self.state = self.lstm(features, None)
return torch.sigmoid(self.head(features))  # FL509
""",
            ),
            "differs",
            "T=7 B=4 I=5",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(11, 2)",
                "y, state = self.gru(x)\nreturn self.head(torch.cat((x[:, -1], state[-1]), dim=1))",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 5, batch_first=True)\nself.head = nn.Linear(5, 2)",
                "out, h = self.gru(x)\nwidth = x.size(2)\nreturn self.head(h[-1]) * width",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 5, batch_first=True)\nself.top = nn.GRU(5, 5, batch_first=True)",
                "y, state = self.gru(x)\ny, state = self.top(x, state)\nreturn y",
            )
        ),
    ),
    likely=True,
    fixable="unsafe",
)


@RULE.on(Unpacked)
def check(fact: Unpacked) -> Iterator[Problem]:
    value, function = fact.value, fact.where.node
    pair = value.items if isinstance(value, Tup) and value.kind == "layer" else ()
    output = resolve(pair[0]) if len(pair) == 2 else None
    if not isinstance(output, Tensor) or output.origin is None or not isinstance(output.origin.layer, Recurrent):
        return
    target, call = fact.target, fact.source
    if not isinstance(target, (cst.Tuple, cst.List)) or len(target.elements) != 2 or not isinstance(call, cst.Call):
        return
    name, given = target.elements[0].value, call.args[0].value if call.args else None
    if not isinstance(name, cst.Name) or not isinstance(given, cst.Name) or name.value.startswith("_"):
        return
    if not isinstance(function, cst.FunctionDef) or fact.where.function != "forward" or name.value == given.value:
        return
    nodes = in_order(function.body)
    bound = [code_of(leaf) for each in nodes if isinstance(each, cst.AssignTarget) for leaf in leaves(each.target)]
    if bound.count(name.value) > 1 or bound.count(given.value) > (given.value not in parameters_of(function)):
        return
    states = {code_of(leaf) for leaf in leaves(target.elements[1].value)}
    read = _read(nodes, call)
    at = nodes.index(call)
    later = [
        each for each in nodes[at:] if isinstance(each, cst.Call) and each is not call and _takes(each, given.value)
    ]
    if later and name.value not in read and not read & states and not _answers(nodes, states):
        arguments = [each.value for each in later[0].args if code_of(each.value) == given.value]
        yield Problem(
            later[0],
            f"{name.value} is never read, and {given.value} goes on in its place: nothing that the model computes "
            "depends on the layer",
            output.origin.layer,
            ((arguments[0], name.value),) if len(later) == len(arguments) == 1 else (),
            f"Go on with {name.value}",
        )


def in_order(node: cst.CSTNode) -> list[cst.CSTNode]:
    """A node and everything below it that holds code, in the order of the text."""
    found = [node]
    for child in children(node):
        found += in_order(child)
    return found


def _takes(node: cst.Call, name: str) -> bool:
    """Whether a node is a call of something of the model's own that is given a name."""
    if not code_of(node.func).startswith("self."):
        return False
    return any(name in names_in(each.value) for each in node.args)


def _read(nodes: list[cst.CSTNode], call: cst.Call) -> set[str]:
    """What is read outside of a call, and neither returned nor kept as it stands."""
    passive = {id(leaf) for each in nodes if isinstance(each, cst.AssignTarget) for leaf in leaves(each.target)}
    passive |= {id(each) for each in in_order(call)}
    for each in nodes:
        if isinstance(each, (cst.Return, cst.Assign)) and each.value is not None:
            passive |= {id(leaf) for leaf in leaves(each.value)}
    return {code_of(each) for each in nodes if isinstance(each, (cst.Name, cst.Attribute)) and id(each) not in passive}


def _answers(nodes: list[cst.CSTNode], states: set[str]) -> bool:
    """Whether a state is what the model returns first."""
    returned = [each.value for each in nodes if isinstance(each, cst.Return) and each.value is not None]
    return any(code_of(next(leaves(value), value)) in states for value in returned)
