"""Calls: of the program's own functions and classes, which are followed, and of the library, which has signatures."""

from __future__ import annotations

from collections.abc import Sequence

from .. import cst, signatures
from ..dims import words
from ..layers import Recurrent
from ..signatures.registry import CONSTRUCTORS
from ..values import (
    NONE,
    Class,
    Const,
    Foreign,
    Function,
    Instance,
    Module,
    Name,
    Opaque,
    Partial,
    Table,
    Tensor,
    Tup,
    Value,
    resolve,
)
from . import tables
from .arguments import Arguments, bind_parameters, is_called_right, read_arguments
from .assign import rebind
from .attributes import attribute
from .builtin import call_builtin
from .imports import FileModule, canonical
from .join import join_all
from .lists import changed
from .objects import bind_method, is_module_class, make_instance
from .scope import Frame, Scope
from .walk import Walk


def call(vm: Walk, node: cst.Call) -> Value:
    """The value of a call expression."""
    if isinstance(node.func, cst.Attribute):
        if _is_super(node.func.value):
            return _call_super(vm, node, node.func.attr.value)
        base = resolve(vm.evaluate(node.func.value))
        vm.receivers[node] = base
        if isinstance(base, Instance) and _gives_itself(base, node.func.attr.value):
            read_arguments(vm, node)
            return base
        if not isinstance(base, (Name, Instance, Class, FileModule)):
            return _call_method(vm, node, base, node.func.attr.value)
        callee = attribute(vm, node.func, base, node.func.attr.value)
    else:
        callee = vm.evaluate(node.func)
    return apply(vm, node, callee, read_arguments(vm, node))


def _gives_itself(base: Instance, name: str) -> bool:
    """Whether a call is `model.to(device)` or the like, of nn.Module's own methods."""
    return name in signatures.CHAINED and is_module_class(base.cls) and base.cls.find(name) is None


def _call_method(vm: Walk, node: cst.Call, base: Value, name: str) -> Value:
    arguments = read_arguments(vm, node)
    if isinstance(base, (Recurrent, Module)):
        if name in ("forward", "__call__"):
            return apply(vm, node, base, arguments)
        if name in signatures.CHAINED:
            signatures.modules.change_mode(base, name)
            return base
    if isinstance(base, Module) and name in base.config:
        return apply(vm, node, base.config[name], arguments)
    result = signatures.call_method(vm, node, base, name, arguments)
    if result is not None:
        return result
    if isinstance(base, (Table, Opaque)):
        found, is_changed = tables.method(base, name, arguments.positional)
        if is_changed and isinstance(base, Table) and isinstance(node.func, cst.Attribute):
            rebind(vm, node.func.value, Opaque("mapping"))
        if found is not None:
            return found
    if (result := changed(vm, base, name, arguments.positional)) is not None:
        if isinstance(node.func, cst.Attribute):
            rebind(vm, node.func.value, result)
        return Opaque("?")
    if isinstance(base, Tup) and name in ("copy",):
        return base
    if isinstance(base, Const) and isinstance(base.value, str) and name in TEXTS and arguments.complete:
        given = [each.value for each in arguments.positional if isinstance(each, Const) and isinstance(each.value, str)]
        if len(given) == len(arguments.positional) == name.endswith("with"):
            return Const(getattr(base.value, name)(*given))
    callee = attribute(vm, node.func, base, name)
    if isinstance(callee, (Function, Class, Partial)):
        return apply(vm, node, callee, arguments)
    return Opaque("?")


def _follow(vm: Walk, node: cst.Call, function: Function, arguments: Arguments) -> Value:
    """Enter a function of the program, and note by which call."""
    frame = vm.frame
    outer, frame.calling = frame.calling, node
    result = vm.call(function, arguments.positional, arguments.keywords, complete=arguments.complete)
    frame.calling = outer
    return result


def apply(vm: Walk, node: cst.Call, callee: Value, arguments: Arguments) -> Value:
    """Call a value with arguments that have been read."""
    if isinstance(callee, Function):
        return _follow(vm, node, callee, arguments)
    if isinstance(callee, Class):
        return make_instance(vm, callee, arguments.positional, arguments.keywords, complete=arguments.complete)
    if isinstance(callee, Instance):
        method = callee.cls.find("forward") or callee.cls.find("__call__")
        if isinstance(method, Function):
            bound = bind_method(method, callee)
            if isinstance(bound, Function):
                return _follow(vm, node, bound, arguments)
        return Opaque("?")
    if isinstance(callee, Partial):
        arguments.positional[:0] = callee.positional
        arguments.nodes[:0] = [node.func] * len(callee.positional)
        arguments.keywords = {**callee.keywords, **arguments.keywords}
        return apply(vm, node, callee.callee, arguments)
    if isinstance(callee, (Recurrent, Module)):
        result = signatures.call_module(vm, node, callee, arguments)
        return Opaque("?") if result is None else result
    if isinstance(callee, Name):
        return _call_library(vm, node, callee, arguments)
    return Opaque("?")


def _call_library(vm: Walk, node: cst.Call, callee: Name, arguments: Arguments) -> Value:
    names = [choice if choice in CONSTRUCTORS else canonical(choice) for choice in callee.choices]
    if names == ["builtins.dict"] and not arguments.positional and arguments.keywords and arguments.complete:
        return tables.table(arguments.keywords, node.text.code)
    if names[0].startswith("builtins."):
        value = call_builtin(vm, node, names[0].removeprefix("builtins."), arguments.positional, arguments.nodes)
        return Opaque("?") if value is None else value
    if len(names) == 1 and names[0].startswith("torch.Tensor.") and arguments.positional and arguments.nodes:
        method = names[0].removeprefix("torch.Tensor.")  # `torch.Tensor.reshape(x, ...)`
        return _unbound(vm, node, method, arguments)
    if names[0] == "functools.partial" and arguments.positional:
        return Partial(arguments.positional[0], tuple(arguments.positional[1:]), arguments.keywords)
    results = [signatures.call_function(vm, node, name, arguments) for name in names]
    if (out := arguments.keyword_nodes.get("out")) is not None:
        vm.rebind(out, (results[0] if len(results) == 1 else None) or Opaque("?"), arguments.keywords["out"])
    if any(result is None for result in results):
        return Foreign("array") if names[0].partition(".")[0] in OTHER_LIBRARIES else Opaque("?")
    return join_all([result for result in results if result is not None], "module")


def _unbound(vm: Walk, node: cst.Call, name: str, arguments: Arguments) -> Value:
    """A method of a tensor, called as a function of it."""
    base = resolve(arguments.positional.pop(0))
    arguments.nodes.pop(0)
    result = signatures.call_method(vm, node, base, name, arguments) if isinstance(base, (Tensor, Opaque)) else None
    return Opaque("?") if result is None else result


TEXTS = frozenset(words("lower upper strip title capitalize casefold startswith endswith"))
"""Methods of a text that give another text, or say how it begins or ends."""

OTHER_LIBRARIES = frozenset(words("numpy pandas scipy sklearn cv2 librosa PIL tensorflow jax"))
"""Libraries whose arrays have sizes and methods called as those of tensors, which do other things."""


def _is_super(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"


def _call_super(vm: Walk, node: cst.Call, name: str) -> Value:
    arguments = read_arguments(vm, node)
    instance = vm.frame.instance
    owner = getattr(vm.frame.node, "owner", None)
    if instance is not None:
        bases = owner.bases if isinstance(owner, Class) else instance.cls.bases
        for base in bases:
            method = base.find(name) if isinstance(base, Class) else None
            if isinstance(method, Function):
                bound = bind_method(method, instance)
                if isinstance(bound, Function):
                    return vm.call(bound, arguments.positional, arguments.keywords)
    return Opaque("?")


def call_function(
    vm: Walk,
    function: Function,
    positional: Sequence[Value],
    keywords: dict[str, Value],
    *,
    complete: bool = True,
    entry: bool = False,
) -> Value:
    """Follow a call into the program's own code; with `entry`, parameters not given are unknown."""
    node = function.node
    if not vm.may_call(function.scope) or _running(vm, node):
        return Opaque("?")
    vm.called.add(node)
    instance = function.bound if isinstance(function.bound, Instance) else None
    given = [function.bound, *positional] if function.bound is not None else list(positional)
    scope = Scope(function.scope)
    frame = Frame(scope, function.name, instance or vm.frame.instance, node=function)
    if complete and not entry and not is_called_right(node.params, len(given), keywords):
        return Opaque("?")
    if isinstance(node, cst.Lambda):
        bind_parameters(vm, node.params, scope, given, keywords, function.scope, complete, entry)
        frame.loops = vm.frame.loops
        vm.frames.append(frame)
        left = vm.leave(scope)
        result = vm.evaluate(node.body)
        vm.come_back(left)
        vm.frames.pop()
        return result
    bind_parameters(vm, node.params, scope, given, keywords, function.scope, complete, entry)
    vm.frames.append(frame)
    if vm.watch is not None:
        for param in (*node.params.posonly_params, *node.params.params, *node.params.kwonly_params):
            vm.watch(param, scope.names[param.name.value])
    left = vm.leave(scope)
    vm.run(node.body.body)
    vm.come_back(left)
    vm.frames.pop()
    if frame.alive and not frame.returns:
        return NONE
    if not frame.returns:
        return Opaque("?")
    return join_all(frame.returns, function.name)


def _running(vm: Walk, node: cst.CSTNode) -> bool:
    for frame in vm.frames:
        function = frame.node
        if function.__class__ is Function and function.node is node:
            return True
    return False
