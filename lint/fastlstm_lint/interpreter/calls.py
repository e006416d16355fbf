"""Calls: of the program's own functions and classes, which are followed, and of the library, which has signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from .. import signatures
from ..dims import Dim, Invented
from ..layers import Recurrent
from ..nodes import children
from ..values import (
    NONE,
    Class,
    Const,
    Flag,
    Function,
    Instance,
    Module,
    Name,
    Num,
    Opaque,
    Partial,
    SizesOf,
    Tup,
    Value,
    resolve,
)
from .builtin import call_builtin
from .imports import SAME_AS, FileModule
from .join import join_all
from .lists import changed, rebind
from .scope import Frame, Scope

if TYPE_CHECKING:
    from .machine import Machine

MODULE_BASES = ("Module", "LightningModule", "PreTrainedModel", "Layer")


class Arguments:
    """The arguments of one call: values and nodes, by position and by keyword. `complete` is False after `*args`."""

    __slots__ = ("complete", "keyword_nodes", "keywords", "nodes", "positional")

    def __init__(self) -> None:
        self.positional: list[Value] = []
        self.nodes: list[cst.BaseExpression] = []
        self.keywords: dict[str, Value] = {}
        self.keyword_nodes: dict[str, cst.BaseExpression] = {}
        self.complete = True


def read_arguments(vm: Machine, node: cst.Call) -> Arguments:
    """Evaluate the arguments of a call, in order."""
    found = Arguments()
    for argument in node.args:
        value = vm.evaluate(argument.value)
        if argument.star == "*":
            spread = resolve(value)
            if isinstance(spread, Tup):
                found.positional.extend(spread.items)
                found.nodes.extend([argument.value] * len(spread.items))
            elif isinstance(spread, SizesOf):
                found.positional.append(spread)
                found.nodes.append(argument.value)
            else:
                found.complete = False
        elif argument.star == "**":
            found.complete = False
        elif argument.keyword is not None:
            found.keywords[argument.keyword.value] = value
            found.keyword_nodes[argument.keyword.value] = argument.value
        else:
            found.positional.append(value)
            found.nodes.append(argument.value)
    return found


def call(vm: Machine, node: cst.Call) -> Value:
    """The value of a call expression."""
    if isinstance(node.func, cst.Attribute):
        if _is_super(node.func.value):
            return _call_super(vm, node, node.func.attr.value)
        base = resolve(vm.evaluate(node.func.value))
        vm.receivers[id(node)] = base
        if not isinstance(base, (Name, Instance, Class, FileModule)):
            return _call_method(vm, node, base, node.func.attr.value)
        from .expressions import attribute

        callee = attribute(vm, node.func, base, node.func.attr.value)
    else:
        callee = vm.evaluate(node.func)
    return apply(vm, node, callee, read_arguments(vm, node))


def _call_method(vm: Machine, node: cst.Call, base: Value, name: str) -> Value:
    from .expressions import attribute

    arguments = read_arguments(vm, node)
    if isinstance(base, (Recurrent, Module)):
        if name in ("forward", "__call__"):
            return apply(vm, node, base, arguments)
        if name in signatures.CHAINED:
            return base
    if isinstance(base, Module) and name in base.config:
        return apply(vm, node, base.config[name], arguments)
    result = signatures.call_method(vm, node, base, name, arguments)
    if result is not None:
        return result
    if (result := changed(vm, base, name, arguments.positional)) is not None:
        if isinstance(node.func, cst.Attribute):
            rebind(vm, node.func.value, result)
        return Opaque("?")
    if isinstance(base, Tup) and name in ("copy",):
        return base
    callee = attribute(vm, node.func, base, name)
    if isinstance(callee, (Function, Class, Partial)):
        return apply(vm, node, callee, arguments)
    return Opaque("?")


def apply(vm: Machine, node: cst.Call, callee: Value, arguments: Arguments) -> Value:
    """Call a value with arguments that have been read."""
    if isinstance(callee, Function):
        return call_function(vm, callee, arguments.positional, arguments.keywords, complete=arguments.complete)
    if isinstance(callee, Class):
        return make_instance(vm, callee, arguments.positional, arguments.keywords, complete=arguments.complete)
    if isinstance(callee, Instance):
        method = callee.cls.find("forward") or callee.cls.find("__call__")
        if isinstance(method, Function):
            bound = bind_method(method, callee)
            if isinstance(bound, Function):
                return call_function(vm, bound, arguments.positional, arguments.keywords, complete=arguments.complete)
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


def canonical(full: str) -> str:
    """The name under which a library function's signature is kept."""
    for alias, real in SAME_AS.items():
        if full.startswith(alias + "."):
            return real + full[len(alias) :]
    return full


def _call_library(vm: Machine, node: cst.Call, callee: Name, arguments: Arguments) -> Value:
    names = [canonical(choice) for choice in callee.choices]
    if names[0].startswith("builtins."):
        value = call_builtin(vm, node, names[0].removeprefix("builtins."), arguments.positional, arguments.nodes)
        return Opaque("?") if value is None else value
    if names[0] == "functools.partial" and arguments.positional:
        return Partial(arguments.positional[0], tuple(arguments.positional[1:]), arguments.keywords)
    results = [signatures.call_function(vm, node, name, arguments) for name in names]
    if any(result is None for result in results):
        return Opaque("?")
    return join_all([result for result in results if result is not None], "module")


def _is_super(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"


def _call_super(vm: Machine, node: cst.Call, name: str) -> Value:
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
                    return call_function(vm, bound, arguments.positional, arguments.keywords)
    return Opaque("?")


def bind_method(method: Value, instance: Instance) -> Value:
    """A method bound to an object; a static one as it is."""
    if not isinstance(method, Function) or method.decorator == "staticmethod":
        return method
    bound: Value = instance.cls if method.decorator == "classmethod" else instance
    return Function(method.node, method.scope, method.owner, bound, method.name, method.decorator)


def is_module_class(cls: Class) -> bool:
    """Whether objects of this class are called through `forward`."""
    return cls.find("forward") is not None or any(name.endswith(MODULE_BASES) for name in cls.library_bases())


def make_instance(
    vm: Machine,
    cls: Class,
    positional: Sequence[Value],
    keywords: dict[str, Value],
    *,
    complete: bool = True,
    entry: bool = False,
) -> Value:
    """Construct an object: its `__init__` runs; what other methods assign is not yet known."""
    for base in cls.library_bases():
        short = canonical(base)
        if short.removeprefix("torch.nn.") in signatures.RECURRENT and cls.find("forward") is None:
            return Opaque(cls.name)
        if short == "typing.NamedTuple":
            return Opaque(cls.name)
    instance = Instance(cls)
    init = cls.find("__init__")
    if isinstance(init, Function):
        bound = bind_method(init, instance)
        if isinstance(bound, Function):
            call_function(vm, bound, positional, keywords, complete=complete, entry=entry)
    for name in reassigned(cls):
        value = instance.attributes.get(name)
        if value is not None and not isinstance(value, (Recurrent, Module, Instance)):
            del instance.attributes[name]
    return instance


def reassigned(cls: Class) -> frozenset[str]:
    """Attributes that a method other than `__init__` assigns: their value on entry is not the constructor's."""
    cached = cls.body.get("#reassigned")
    if isinstance(cached, Const):
        return frozenset(cached.value)
    names: set[str] = set()
    for value in cls.body.values():
        if isinstance(value, Function) and value.name != "__init__":
            stack: list[cst.CSTNode] = [value.node.body]
            while stack:
                node = stack.pop()
                if isinstance(node, (cst.Assign, cst.AnnAssign, cst.AugAssign)):
                    targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
                    names.update(_self_attributes(targets))
                elif isinstance(node, (cst.BaseSuite, cst.BaseStatement, cst.Else, cst.Finally, cst.ExceptHandler)):
                    stack.extend(children(node))
    cls.body["#reassigned"] = Const(tuple(names))
    return frozenset(names)


def _self_attributes(targets: Sequence[cst.CSTNode]) -> set[str]:
    found: set[str] = set()
    for target in targets:
        if isinstance(target, (cst.Tuple, cst.List)):
            found |= _self_attributes([element.value for element in target.elements])
        elif isinstance(target, cst.Attribute) and isinstance(target.value, cst.Name) and target.value.value == "self":
            found.add(target.attr.value)
    return found


def call_function(
    vm: Machine,
    function: Function,
    positional: Sequence[Value],
    keywords: dict[str, Value],
    *,
    complete: bool = True,
    entry: bool = False,
) -> Value:
    """Follow a call into the program's own code; with `entry`, parameters not given are unknown."""
    node = function.node
    if not vm.may_call(function.scope) or sum(frame.node is function for frame in vm.frames) or _running(vm, node):
        return Opaque("?")
    vm.called.add(id(node))
    instance = function.bound if isinstance(function.bound, Instance) else None
    given = [function.bound, *positional] if function.bound is not None else list(positional)
    scope = Scope(function.scope)
    frame = Frame(scope, function.name, instance or vm.frame.instance, node=function)
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
    from .statements import run_block

    left = vm.leave(scope)
    run_block(vm, node.body)
    vm.come_back(left)
    vm.frames.pop()
    if frame.alive and not frame.returns:
        return NONE
    if not frame.returns:
        return Opaque("?")
    return join_all(frame.returns, function.name)


def _running(vm: Machine, node: cst.CSTNode) -> bool:
    return any(isinstance(frame.node, Function) and frame.node.node is node for frame in vm.frames)


def bind_parameters(
    vm: Machine,
    params: cst.Parameters,
    scope: Scope,
    positional: list[Value],
    keywords: dict[str, Value],
    defaults: Scope,
    complete: bool,
    entry: bool,
) -> None:
    """Give every parameter a value: the argument, the default, or an unknown of its name."""
    ordered = [*params.posonly_params, *params.params]
    own = positional[0].cls if positional and isinstance(positional[0], Instance) else None
    for i, param in enumerate(ordered):
        name = param.name.value
        if i < len(positional):
            scope.names[name] = positional[i]
            if isinstance(value := positional[i], Num) and (symbol := value.dim.symbol) and symbol.alias is None:
                symbol.alias = name
        elif name in keywords:
            scope.names[name] = keywords[name]
        else:
            scope.names[name] = _default(vm, param, defaults, entry or not complete, own)
    for param in params.kwonly_params:
        name = param.name.value
        given = keywords.get(name)
        scope.names[name] = _default(vm, param, defaults, entry or not complete, own) if given is None else given
    if isinstance(params.star_arg, cst.Param):
        rest = positional[len(ordered) :]
        scope.names[params.star_arg.name.value] = Tup(tuple(rest)) if rest and not entry else Opaque("args")
    if params.star_kwarg is not None:
        scope.names[params.star_kwarg.name.value] = Opaque("kwargs")


def _namesake(vm: Machine, name: str, scope: Scope) -> Class | None:
    """The only module class of the file that a parameter is named after: `encoder` for `Encoder` or `EncoderRNN`."""
    word = name.replace("_", "").lower()
    if len(vm.frames) > 2 or len(word) < 4:
        return None
    found = []
    top = scope.top
    for called in list(top.names):
        value = top.own(called) if _stem(called) == word else None
        if isinstance(value, Class) and is_module_class(value):
            found.append(value)
    return found[0] if len(found) == 1 else None


def _stem(name: str) -> str:
    word = name.replace("_", "").lower()
    for ending in ("rnn", "lstm", "gru", "model", "network", "net"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word.removesuffix(ending)
    return word


def _default(vm: Machine, param: cst.Param, defaults: Scope, open_call: bool, own: Class | None) -> Value:
    """The default of a parameter. Where the caller is not seen, a default is remembered but not believed.

    `own` is the class whose method it is: no parameter is taken for another object of that class.
    """
    name = param.name.value
    if param.default is None:
        cls = _namesake(vm, name, defaults) if open_call else None
        if cls is None or cls is own or cls in vm.guessed:  # `class Encoder: def __init__(self, encoder)` would not end
            return Opaque(name)
        vm.guessed.append(cls)
        instance = make_instance(vm, cls, [], {}, entry=True)
        vm.guessed.pop()
        return instance
    vm.frames.append(Frame(defaults, "<default>", node=None))
    value = vm.evaluate(param.default)
    vm.frames.pop()
    if not open_call:
        return value
    if isinstance(value, Const) and isinstance(value.value, bool):
        return Flag(name, Dim.of(Invented("directions", 2 if value.value else 1)), value.value)
    if isinstance(value, Num):
        return Opaque(name, value.dim.value)
    unknown = Opaque(name)
    unknown.maybe_none = value == NONE
    return unknown
