"""What several rules ask about a call in a loop over time: what it is given, and what becomes of its state."""

from __future__ import annotations

from .. import cst
from ..facts import LayerCalled
from ..nodes import code_of, walk
from ._code import assignment_of, bound_in, leaves, names_in


def loop_of(fact: LayerCalled) -> cst.For | None:
    """The loop around a call, with the call's layer the same in every turn."""
    loop = fact.where.loops[-1] if fact.where.loops else None
    if not isinstance(loop, cst.For) or names_in(loop.target) & names_in(fact.call.func):
        return None
    return loop


def inputs_known(fact: LayerCalled) -> bool:
    """Whether a call's input is another one in every turn of the loop, and none that the loop makes."""
    loop = loop_of(fact)
    if loop is None or fact.input_node is None or _stops(loop):
        return False
    given, steps = names_in(fact.input_node), names_in(loop.target)
    return bool(given & steps) and not given & (bound_in(loop.body) - steps)


def carried_only(fact: LayerCalled) -> bool:
    """Whether the state goes from call to call as it is, and nothing else in the loop touches it."""
    loop, state = loop_of(fact), fact.state_node
    statement = None if loop is None else assignment_of(loop.body, fact.node)
    if loop is None or state is None or statement is None or not isinstance(state, (cst.Name, cst.Tuple)):
        return False
    passed = {code_of(leaf) for leaf in leaves(state)}
    targets = [
        code_of(leaf)
        for each in walk(loop.body)
        if isinstance(each, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign))
        for leaf in leaves(each.target)
    ]
    own = {code_of(leaf) for target in statement.targets for leaf in leaves(target.target)}
    return passed <= own and all(targets.count(name) == 1 for name in passed)


def _stops(loop: cst.For) -> bool:
    """Whether a loop may end early, or leaves turns out."""
    return any(isinstance(each, (cst.Break, cst.Continue, cst.Return)) for each in walk(loop.body))
