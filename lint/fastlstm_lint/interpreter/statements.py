"""Statements: each is walked once, on every path that can be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import libcst as cst

from ..facts import Discarded, Named, Unpacked
from ..values import NONE, Many, Num, Opaque, Tensor, Tup, resolve
from .assign import assign, delete
from .branches import merge
from .definitions import define_class, define_function
from .imports import import_from, import_plain
from .lists import added
from .scope import Snapshot
from .truth import large_if_true, truth

if TYPE_CHECKING:
    from .machine import Machine


def run_body(vm: Machine, body: Sequence[cst.CSTNode]) -> None:
    """Run statements until the path ends."""
    frame = vm.frame
    for statement in body:
        if not frame.alive or not vm.spend():
            return
        handler = HANDLERS.get(type(statement))
        if handler is not None:
            handler(vm, statement)


def run_block(vm: Machine, block: cst.BaseSuite) -> None:
    run_body(vm, block.body)


def _simple_line(vm: Machine, line: cst.SimpleStatementLine) -> None:
    run_body(vm, line.body)


def _expression(vm: Machine, statement: cst.Expr) -> None:
    node = statement.value
    if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):  # a docstring
        return
    vm.evaluate(node)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        source = vm.receivers.pop(id(node), None)
        if source is not None:
            vm.emit(Discarded(node, vm.where(), node, node.func.attr.value, source))


def _assign(vm: Machine, statement: cst.Assign) -> None:
    value = vm.evaluate(statement.value)
    for target in statement.targets:
        if isinstance(target.target, (cst.Tuple, cst.List)):
            vm.emit(Unpacked(statement, vm.where(), value, target.target, statement.value))
        elif isinstance(value, Num) and isinstance(target.target, cst.Name):
            vm.emit(Named(statement, vm.where(), target.target.value, value.dim, _measured(vm, statement.value)))
        assign(vm, target.target, value)


def _measured(vm: Machine, node: cst.BaseExpression) -> Tensor | None:
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


def _ann_assign(vm: Machine, statement: cst.AnnAssign) -> None:
    if statement.value is not None:
        assign(vm, statement.target, vm.evaluate(statement.value))


def _aug_assign(vm: Machine, statement: cst.AugAssign) -> None:
    from .operators import binary

    left = vm.evaluate(statement.target)
    right = vm.evaluate(statement.value)
    if isinstance(left, (Tup, Many)) and isinstance(statement.operator, cst.AddAssign) and vm.frame.loops:
        assign(vm, statement.target, added(vm, left, right))
        return
    assign(vm, statement.target, binary(vm, statement, type(statement.operator).__name__, left, right))


def _return(vm: Machine, statement: cst.Return) -> None:
    value = NONE if statement.value is None else vm.evaluate(statement.value)
    vm.frame.returns.append(value)
    vm.frame.alive = False


def _stop(vm: Machine, statement: cst.CSTNode) -> None:
    vm.frame.alive = False


def _raise(vm: Machine, statement: cst.Raise) -> None:
    vm.frame.alive = False


def _if(vm: Machine, statement: cst.If) -> None:
    frame = vm.frame
    test = vm.evaluate(statement.test)
    decided = truth(test)
    if decided is True:
        run_block(vm, statement.body)
        return
    if decided is False:
        _else(vm, statement.orelse)
        return
    before = frame.snapshot()
    large, small = frame.large, frame.small
    frame.large = large | large_if_true(test)
    run_block(vm, statement.body)
    frame.large = large
    taken = frame.snapshot()
    frame.restore(before)
    frame.small = small | large_if_true(test)
    _else(vm, statement.orelse)
    frame.small = small
    merge(vm, taken, statement.test, test)


def _else(vm: Machine, orelse: cst.If | cst.Else | None) -> None:
    if isinstance(orelse, cst.If):
        _if(vm, orelse)
    elif orelse is not None:
        run_block(vm, orelse.body)


def _loop(vm: Machine, statement: cst.For | cst.While, before: Snapshot) -> None:
    """The first turn of a loop, as it happens; then what holds after any number of turns."""
    _turn(vm, statement, before)
    if vm.watch is not None:
        # A further one from what the first may have left: what is shown beside a line holds on every turn.
        _turn(vm, statement, vm.frame.snapshot())
    if statement.orelse is not None:
        run_block(vm, statement.orelse.body)


def _turn(vm: Machine, statement: cst.For | cst.While, before: Snapshot) -> None:
    """One turn, and the join with not having taken it."""
    frame = vm.frame
    outer = frame.loops
    frame.loops = (*outer, statement)
    run_block(vm, statement.body)
    frame.loops = outer
    frame.alive = before.alive
    after = frame.snapshot()
    frame.restore(before)
    merge(vm, after)


def _for(vm: Machine, statement: cst.For) -> None:
    iterable = vm.evaluate(statement.iter)
    before = vm.frame.snapshot()
    item = vm.item_of(iterable, statement.iter)
    if isinstance(statement.target, (cst.Tuple, cst.List)):
        vm.emit(Unpacked(statement.target, vm.where(), item, statement.target, None))
    assign(vm, statement.target, item)
    _loop(vm, statement, before)


def _while(vm: Machine, statement: cst.While) -> None:
    before = vm.frame.snapshot()
    test = vm.evaluate(statement.test)
    if truth(test) is False:
        if statement.orelse is not None:
            run_block(vm, statement.orelse.body)
        return
    _loop(vm, statement, before)


def _with(vm: Machine, statement: cst.With) -> None:
    for item in statement.items:
        vm.evaluate(item.item)
        if item.asname is not None and isinstance(item.asname.name, (cst.Name, cst.Tuple, cst.List, cst.Attribute)):
            assign(vm, item.asname.name, Opaque("context"))
    run_block(vm, statement.body)


def _try(vm: Machine, statement: cst.Try | cst.TryStar) -> None:
    frame = vm.frame
    before = frame.snapshot()
    run_block(vm, statement.body)
    if statement.orelse is not None and frame.alive:
        run_block(vm, statement.orelse.body)
    for handler in statement.handlers:
        done = frame.snapshot()
        frame.restore(before)
        if handler.name is not None and isinstance(handler.name.name, cst.Name):
            frame.scope.names[handler.name.name.value] = Opaque("error")
        run_block(vm, handler.body)
        merge(vm, done)
    if statement.finalbody is not None:
        run_block(vm, statement.finalbody.body)


def _match(vm: Machine, statement: cst.Match) -> None:
    frame = vm.frame
    vm.evaluate(statement.subject)
    before = frame.snapshot()
    for case in statement.cases:
        done = frame.snapshot()
        frame.restore(before)
        for name in _captured(case.pattern):
            frame.scope.names[name] = Opaque(name)
        run_block(vm, case.body)
        merge(vm, done)


def _captured(pattern: Any) -> list[str]:
    """The names that a match pattern binds."""
    found: list[str] = []
    stack = [pattern]
    while stack:
        node = stack.pop()
        if isinstance(node, (cst.MatchAs, cst.MatchStar)) and isinstance(node.name, cst.Name):
            found.append(node.name.value)
        if isinstance(node, cst.MatchMapping) and isinstance(node.rest, cst.Name):
            found.append(node.rest.value)
        stack.extend(getattr(node, "children", ()))
    return found


def _del(vm: Machine, statement: cst.Del) -> None:
    delete(vm, statement.target)


def _global(vm: Machine, statement: cst.Global) -> None:
    vm.frame.scope.globals |= {item.name.value for item in statement.names}


def _assert(vm: Machine, statement: cst.Assert) -> None:
    vm.evaluate(statement.test)


HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    cst.SimpleStatementLine: _simple_line,
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
    cst.TryStar: _try,
    cst.Match: _match,
    cst.FunctionDef: define_function,
    cst.ClassDef: define_class,
    cst.Del: _del,
    cst.Global: _global,
    cst.Assert: _assert,
    cst.Import: import_plain,
    cst.ImportFrom: import_from,
}
