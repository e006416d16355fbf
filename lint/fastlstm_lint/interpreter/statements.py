"""Statements: each is walked once, on every path that can be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import cst
from ..facts import Discarded, Named, Unpacked
from ..layers import Recurrent
from ..nodes import read_names
from ..values import NONE, Condition, Instance, Many, Module, Num, Opaque, Tensor, Tup, Value, resolve
from .assign import assign, delete
from .branches import Ranks, merge
from .definitions import define_class, define_function
from .imports import import_from, import_plain
from .lists import added
from .operators import binary
from .scope import Snapshot
from .truth import large_if_true, truth
from .turns import forget_lengths, known_turns, take
from .walk import Walk

NAMES = 10
"""Names that are kept and joined for one unit of work."""


def run_body(vm: Walk, body: Sequence[cst.CSTNode]) -> None:
    """Run statements until the path ends."""
    frame = vm.frame
    for statement in body:
        if not frame.alive or not vm.spend():
            return
        handler = HANDLERS.get(type(statement))
        if handler is None:
            continue
        depth = len(vm.frames)
        try:
            handler(vm, statement)
        except RecursionError:
            del vm.frames[depth:]
            vm.too_deep = True


def _snapshot(vm: Walk) -> Snapshot:
    """The state that a branch may change; taking it and merging it costs as much as there are names."""
    vm.budget.take(len(vm.frame.scope.names) // NAMES)
    return vm.frame.snapshot()


def _expression(vm: Walk, statement: cst.Expr) -> None:
    node = statement.value
    if isinstance(node, cst.Constant):  # a docstring
        return
    vm.evaluate(node)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        source = vm.receivers.pop(node, None)
        if source is not None:
            vm.emit(Discarded(node, vm.where(), call=node, method=node.func.attr.value, source=source))


def _assign(vm: Walk, statement: cst.Assign) -> None:
    value = vm.evaluate(statement.value)
    for target in statement.targets:
        if isinstance(target.target, (cst.Tuple, cst.List)):
            vm.emit(Unpacked(statement, vm.where(), value=value, target=target.target, source=statement.value))
        elif isinstance(value, Num) and isinstance(target.target, cst.Name):
            measured = _measured(vm, statement.value)
            vm.emit(Named(statement, vm.where(), name=target.target.value, size=value.dim, tensor=measured))
        assign(vm, target.target, value)


def _measured(vm: Walk, node: cst.BaseExpression) -> Tensor | None:
    """The tensor whose size an expression takes: `x.size(0)`, `x.shape[0]`, `len(x)`."""
    base: cst.BaseExpression | None = None
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "size":
        base = node.func.value
    elif isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "len" and node.args:
        base = node.args[0].value
    elif isinstance(node, cst.Subscript) and isinstance(node.value, cst.Attribute):
        base = node.value.value
    if not isinstance(base, (cst.Name, cst.Attribute)):
        return None
    value = resolve(vm.evaluate(base))
    return value if isinstance(value, Tensor) else None


def _ann_assign(vm: Walk, statement: cst.AnnAssign) -> None:
    if statement.value is not None:
        assign(vm, statement.target, vm.evaluate(statement.value))


def _aug_assign(vm: Walk, statement: cst.AugAssign) -> None:
    left = vm.evaluate(statement.target)
    right = vm.evaluate(statement.value)
    if isinstance(left, (Tup, Many)) and isinstance(statement.operator, cst.Add) and vm.frame.loops:
        assign(vm, statement.target, added(vm, left, right))
        return
    assign(vm, statement.target, binary(vm, statement, type(statement.operator).__name__, left, right))


def _return(vm: Walk, statement: cst.Return) -> None:
    value = NONE if statement.value is None else vm.evaluate(statement.value)
    vm.frame.returns.append(value)
    vm.frame.alive = False


def _stop(vm: Walk, statement: cst.CSTNode) -> None:
    vm.frame.alive = False


def _raise(vm: Walk, statement: cst.Raise) -> None:
    vm.frame.alive = False


def _if(vm: Walk, statement: cst.If) -> None:
    frame = vm.frame
    test = vm.evaluate(statement.test)
    decided = truth(test)
    if decided is True:
        vm.run(statement.body.body)
        return
    if decided is False:
        _else(vm, statement.orelse)
        return
    before, ranks = _snapshot(vm), Ranks(frame)
    large, small, asked = frame.large, frame.small, frame.asked
    frame.asked = asked | read_names(statement.test)
    ones, ones_else = (test.ones, test.ones_else) if isinstance(test, Condition) else (frozenset(), frozenset())
    frame.large, frame.small = large | large_if_true(test), small | ones
    vm.run(statement.body.body)
    frame.large, frame.small = large, small
    taken = _snapshot(vm)
    frame.restore(before)
    ranks.turn()
    frame.small = small | large_if_true(test) | ones_else
    _else(vm, statement.orelse)
    frame.asked = asked
    # `if height != 1: raise`: what comes after it is on the other path only.
    frame.small = small | (ones if not frame.alive else frozenset()) | (ones_else if not taken.alive else frozenset())
    ranks.meet(taken.alive, frame.alive)
    merge(vm, taken, statement.test, test)


def _else(vm: Walk, orelse: cst.If | cst.Else | None) -> None:
    if isinstance(orelse, cst.If):
        _if(vm, orelse)
    elif orelse is not None:
        vm.run(orelse.body.body)


def _loop(vm: Walk, statement: cst.For | cst.While, before: Snapshot) -> None:
    """The first turn of a loop, as it happens; then what holds after any number of turns."""
    _turn(vm, statement, before)
    if vm.watch is not None:
        # A further one from what the first may have left: what is shown beside a line holds on every turn.
        silent, vm.silent = vm.silent, True
        _turn(vm, statement, _snapshot(vm))
        vm.silent = silent
    if statement.orelse is not None:
        vm.run(statement.orelse.body.body)


def _turn(vm: Walk, statement: cst.For | cst.While, before: Snapshot) -> None:
    """One turn, and the join with not having taken it."""
    frame = vm.frame
    outer = frame.loops
    forget_lengths(vm, statement.body)
    frame.loops = (*outer, statement)
    vm.run(statement.body.body)
    frame.loops = outer
    frame.alive = before.alive
    after = _snapshot(vm)
    frame.restore(before)
    merge(vm, after)


MOST_TURNS = 8
"""Modules of a list that a loop is walked through one by one."""


def _through(vm: Walk, statement: cst.For, modules: Sequence[Value]) -> bool:
    """A loop over modules of several kinds, turn by turn; False where a turn ends early, and nothing has happened."""
    frame = vm.frame
    before, outer = _snapshot(vm), frame.loops
    for module in modules:
        assign(vm, statement.target, module)
        frame.loops = (*outer, statement)
        vm.run(statement.body.body)
        frame.loops = outer
        if not frame.alive:
            frame.restore(before)
            return False
    return True


def _for(vm: Walk, statement: cst.For) -> None:
    iterable = vm.evaluate(statement.iter)
    listed = resolve(iterable)
    items = listed.items if isinstance(listed, (Module, Tup)) else ()
    modules = all(isinstance(item, (Module, Recurrent, Instance)) for item in items)
    if 1 < len(items) <= MOST_TURNS and modules and _through(vm, statement, items):
        return
    before = _snapshot(vm)
    item = vm.item_of(iterable, statement.iter)
    if isinstance(statement.target, (cst.Tuple, cst.List)):
        vm.emit(Unpacked(statement.target, vm.where(), value=item, target=statement.target, source=None))
    assign(vm, statement.target, item)
    _loop(vm, statement, before)
    turns = known_turns(statement, iterable)
    if turns is not None:
        take(vm, statement, turns, before)


def _while(vm: Walk, statement: cst.While) -> None:
    before = _snapshot(vm)
    test = vm.evaluate(statement.test)
    if truth(test) is False:
        if statement.orelse is not None:
            vm.run(statement.orelse.body.body)
        return
    _loop(vm, statement, before)


def _with(vm: Walk, statement: cst.With) -> None:
    for item in statement.items:
        vm.evaluate(item.item)
        if item.asname is not None:
            assign(vm, item.asname, Opaque("context"))
    expected = any(_last_word(item.item) in EXPECT_ERRORS for item in statement.items)
    vm.frame.guarded += expected
    vm.run(statement.body.body)
    vm.frame.guarded -= expected


EXPECT_ERRORS = frozenset(("raises", "assertRaises", "assertRaisesRegex", "suppress"))
"""Contexts in which an exception is what is meant to happen."""

ERRORS = frozenset(("Exception", "BaseException", "RuntimeError", "ValueError", "TypeError", "IndexError"))
"""What torch raises, and what is above it."""


def _last_word(node: cst.BaseExpression) -> str:
    called = node.func if isinstance(node, cst.Call) else node
    return called.attr.value if isinstance(called, cst.Attribute) else getattr(called, "value", "")


def _catches(handler: Any) -> bool:
    """Whether a handler takes what torch raises."""
    if handler.type is None:
        return True
    kinds = [each.value for each in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    return any(_last_word(kind) in ERRORS for kind in kinds)


def _try(vm: Walk, statement: cst.Try) -> None:
    frame = vm.frame
    before = _snapshot(vm)
    caught = any(_catches(handler) for handler in statement.handlers)
    frame.guarded += caught
    vm.run(statement.body.body)
    frame.guarded -= caught
    if statement.orelse is not None and frame.alive:
        vm.run(statement.orelse.body.body)
    for handler in statement.handlers:
        done = _snapshot(vm)
        frame.restore(before)
        if handler.name is not None:
            frame.scope.names[handler.name] = Opaque("error")
        vm.run(handler.body.body)
        merge(vm, done)
    if statement.finalbody is not None:
        vm.run(statement.finalbody.body.body)


def _match(vm: Walk, statement: cst.Match) -> None:
    frame = vm.frame
    vm.evaluate(statement.subject)
    before = _snapshot(vm)
    for case in statement.cases:
        done = _snapshot(vm)
        frame.restore(before)
        for name in case.captured:
            frame.scope.names[name] = Opaque(name)
        vm.run(case.body.body)
        merge(vm, done)


def _del(vm: Walk, statement: cst.Del) -> None:
    delete(vm, statement.target)


def _global(vm: Walk, statement: cst.Global) -> None:
    vm.frame.scope.globals |= frozenset(statement.names)


def _assert(vm: Walk, statement: cst.Assert) -> None:
    test = vm.evaluate(statement.test)
    if isinstance(test, Condition):
        vm.frame.small |= test.ones


HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    cst.Expr: _expression,
    cst.Assign: _assign,
    cst.AnnAssign: _ann_assign,
    cst.AugAssign: _aug_assign,
    cst.Return: _return,
    cst.Raise: _raise,
    cst.Break: _stop,
    cst.Continue: _stop,
    cst.If: _if,
    cst.For: _for,
    cst.While: _while,
    cst.With: _with,
    cst.Try: _try,
    cst.Match: _match,
    cst.FunctionDef: define_function,
    cst.ClassDef: define_class,
    cst.Del: _del,
    cst.Global: _global,
    cst.Assert: _assert,
    cst.Import: import_plain,
    cst.ImportFrom: import_from,
}
