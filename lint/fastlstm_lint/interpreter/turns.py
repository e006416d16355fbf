"""Loops of a few turns that are all known: taken one by one, for what only a later turn shows.

The first turn has been walked before, as one of any number, and the rules have seen it. They are told of refusals only.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import cst
from ..dims import Dim
from ..nodes import walk
from ..signatures import splitting
from ..values import Module, Num, Range, Tensor, Tup, Value, int_of, resolve
from .assign import assign
from .scope import Snapshot
from .walk import Walk

FEW = 8
"""Turns up to which a loop is taken turn by turn."""

LEAVES = (cst.Break, cst.Continue, cst.Return, cst.Yield, cst.FunctionDef, cst.ClassDef)
"""What makes a turn end somewhere else than at its end, or defines something anew in each."""


def known_turns(statement: cst.For, iterable: Value) -> list[Value] | None:
    """What each turn of a loop sees, where these are few and every turn goes to its end."""
    value = resolve(iterable)
    found: list[Value] | None = None
    if isinstance(value, Range) and not value.is_slice:
        start = 0 if value.start is None else int_of(value.start)
        stop = int_of(value.stop)
        step = 1 if value.step is None else int_of(value.step)
        if start is not None and stop is not None and step:
            numbers = range(start, stop, step)
            found = [Num(Dim.of(number)) for number in numbers] if len(numbers) <= FEW else None
    elif isinstance(value, (Tup, Module)) and len(value.items) <= FEW:
        found = list(value.items)
    elif isinstance(value, Tensor) and value.rank:
        count = value.sizes[0].value
        found = None if count is None or count > FEW else [splitting.entry(value)] * count
    if not found or statement.orelse is not None:
        return None
    return None if any(isinstance(node, LEAVES) for node in walk(statement.body)) else found


def take(vm: Walk, statement: cst.For, turns: Sequence[Value], before: Snapshot) -> None:
    """Take the turns from the state in front of the loop."""
    if vm.again and len(turns) > 2:  # a loop in a loop: its first turn will do
        return
    frame, again, watch = vm.frame, vm.again, vm.watch
    frame.restore(before)
    vm.again, vm.watch = True, None
    for item in turns:
        assign(vm, statement.target, item)
        vm.run(statement.body.body)
        if not frame.alive:
            break
    vm.again, vm.watch = again, watch
