"""Edits of the calls that make an initial state: `torch.zeros(layers, batch, hidden)` and its like."""

from __future__ import annotations

from collections.abc import Callable

from .. import cst
from ..facts import LayerCalled, Where
from ..nodes import code_of, walk
from ..signatures.recurrent import given_states
from ..values import Tensor

Edits = tuple[tuple[cst.CSTNode, str], ...]
Change = Callable[[list[cst.BaseExpression]], Edits]
"""From the three sizes that a state is made with to the edits of them; empty where there is no right one."""


def made_in(state: Tensor) -> list[cst.BaseExpression]:
    """The three sizes written in the call that made a state; empty where they are not to be seen."""
    call = state.origin.node if state.origin is not None and state.origin.role == "created" else None
    if not isinstance(call, cst.Call) or any(argument.star for argument in call.args):
        return []
    plain = [argument.value for argument in call.args if argument.keyword is None]
    if plain and isinstance(plain[0], (cst.Tuple, cst.List)):
        if any(isinstance(element, cst.StarredElement) for element in plain[0].elements):
            return []
        plain = [element.value for element in plain[0].elements]
    return plain if len(plain) == 3 else []


def change_states(fact: LayerCalled, change: Change) -> Edits:
    """The edits of every state given to a call; none where one of them has none."""
    found: dict[int, tuple[cst.CSTNode, str]] = {}
    for _, state in given_states(fact.layer, fact.state):
        sizes = made_in(state) if isinstance(state, Tensor) else []
        edits = change(sizes) if sizes else ()
        if not edits:
            return ()
        found |= {id(node): (node, text) for node, text in edits}
    return tuple(found.values())


def is_taken(size: cst.BaseExpression) -> bool:
    """Whether a size is taken from a tensor: `x.size(0)`, `x.shape[0]`, `len(x)`."""
    return isinstance(size, (cst.Call, cst.Subscript))


def seen_from(node: cst.CSTNode, text: str, where: Where) -> bool:
    """Whether an expression of the function at hand means the same where `node` stands."""
    if where.node is not None and any(each is node for each in walk(where.node)):
        return True
    own = None if where.instance is None else where.instance.cls.node
    return text.startswith("self.") and own is not None and any(each is node for each in walk(own))


def batch_of_input(fact: LayerCalled) -> str:
    """The batch size of a call's input, as text; empty where the input has no name or is packed."""
    node, layer = fact.input_node, fact.layer
    if fact.packed or layer.batch_first is None or not isinstance(node, (cst.Name, cst.Attribute)):
        return ""
    return f"{code_of(node)}.size({0 if layer.batch_first else 1})"


def with_batch(fact: LayerCalled) -> Edits:
    """The states made with the batch size of the input."""
    wanted = batch_of_input(fact)

    def change(sizes: list[cst.BaseExpression]) -> Edits:
        fits = wanted and seen_from(sizes[1], wanted, fact.where) and _defined_before(fact, sizes[1])
        return ((sizes[1], wanted),) if fits else ()

    return change_states(fact, change)


def _defined_before(fact: LayerCalled, node: cst.CSTNode) -> bool:
    """Whether the input's name is a parameter, or is bound by a statement in front of `node`."""
    body, name = fact.where.node, fact.input_node
    if not isinstance(body, cst.FunctionDef) or name is None:
        return False
    word = code_of(name).partition(".")[0]
    parameters = (*body.params.posonly_params, *body.params.params, *body.params.kwonly_params)
    own = [
        each
        for each in walk(body.body)
        if isinstance(each, cst.AssignTarget)
        and any(isinstance(leaf, cst.Name) and leaf.value == word for leaf in walk(each.target))
    ]
    # A parameter that is bound anew may have other axes where the state is made.
    return any(each.name.value == word for each in parameters) and not own
