"""The turns of a loop: what the first may not rely on, and loops of a few known turns.

The first turn is walked as one of any number, and the rules see it. Where all turns are known, they are taken one by
one as well, for what only a later one shows; the rules are told of refusals only.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import cst
from ..dims import Dim
from ..nodes import code_of, walk
from ..signatures import splitting
from ..values import Many, Module, Num, Range, Tensor, Tup, Value, int_of, resolve
from .assign import assign, rebind
from .join import join_all
from .scope import Snapshot
from .walk import Walk

FEW = 8
"""Turns up to which a loop is taken turn by turn."""

LEAVES = (cst.Break, cst.Continue, cst.Return, cst.Yield, cst.FunctionDef, cst.ClassDef)
"""What makes a turn end somewhere else than at its end, or defines something anew in each."""


GROWING = frozenset({"append", "extend", "insert", "appendleft"})
"""The methods that make a list longer."""


def forget_lengths(vm: Walk, body: cst.CSTNode) -> None:
    """At the top of a loop: a list that the body makes longer has any number of entries like those it begins with."""
    if body not in vm.grown:
        vm.grown[body] = _grown(body)
    for receiver in vm.grown[body]:
        value = resolve(vm.evaluate(receiver))
        if isinstance(value, Tup) and value.is_list and value.items:
            rebind(vm, receiver, Many(join_all(value.items, "item")))


def _grown(body: cst.CSTNode) -> tuple[cst.BaseExpression, ...]:
    """The names and attributes that a body calls a method such as append on, each once."""
    found: dict[str, cst.BaseExpression] = {}
    for each in walk(body):
        if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and each.func.attr.value in GROWING:
            base = each.func.value
            if isinstance(base, (cst.Name, cst.Attribute)):
                found.setdefault(code_of(base), base)
    return tuple(found.values())


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
