"""Arguments and parameters: what a call gives, and what a function's parameters are for it."""

from __future__ import annotations

from functools import lru_cache

from .. import cst
from ..dims import Dim, Invented
from ..values import NONE, Class, Const, Flag, Instance, Num, Opaque, SizesOf, Table, Tup, Value, resolve
from .objects import is_module_class, make_instance
from .scope import Frame, Pending, Scope
from .walk import Walk


class Arguments:
    """The arguments of one call: values and nodes, by position and by keyword. `complete` is False after `*args`."""

    __slots__ = ("complete", "keyword_nodes", "keywords", "nodes", "positional")

    def __init__(self) -> None:
        self.positional: list[Value] = []
        self.nodes: list[cst.BaseExpression] = []
        self.keywords: dict[str, Value] = {}
        self.keyword_nodes: dict[str, cst.BaseExpression] = {}
        self.complete = True


def read_arguments(vm: Walk, node: cst.Call) -> Arguments:
    """Evaluate the arguments of a call, in order."""
    found = Arguments()
    for argument in node.args:
        value = vm.evaluate(argument.value)
        if argument.star == "*":
            spread = resolve(value)
            if isinstance(spread, Tup):
                found.positional.extend(spread.items)
                found.nodes.extend([argument.value] * len(spread.items))
            elif isinstance(spread, SizesOf) and len(node.args) == 1:
                found.positional.append(spread)
                found.nodes.append(argument.value)
            else:
                found.complete = False
        elif argument.star == "**":
            spread = resolve(value)
            if isinstance(spread, Table):
                found.keywords |= spread.items
            else:
                found.complete = False
        elif argument.keyword is not None:
            found.keywords[argument.keyword.value] = value
            found.keyword_nodes[argument.keyword.value] = argument.value
        else:
            found.positional.append(value)
            found.nodes.append(argument.value)
    return found


def is_called_right(params: cst.Parameters, positional: int, keywords: dict[str, Value]) -> bool:
    """Whether a call gives every parameter without a default, and none twice or beyond the last.

    Python refuses another one before anything is run.
    """
    ordered = [*params.posonly_params, *params.params]
    if positional > len(ordered) and params.star_arg is None:
        return False
    if keywords:
        twice = params.params[: max(positional - len(params.posonly_params), 0)]
        if any(param.name.value in keywords for param in twice):
            return False
    for param in (*ordered[positional:], *params.kwonly_params):
        if param.default is None and param.name.value not in keywords:
            return False
    return True


def bind_parameters(
    vm: Walk,
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
    if params.star_arg is not None:
        rest = positional[len(ordered) :]
        scope.names[params.star_arg.name.value] = Tup(tuple(rest)) if rest and not entry else Opaque("args")
    if params.star_kwarg is not None:
        scope.names[params.star_kwarg.name.value] = Opaque("kwargs")


ANY_MODEL = ("model", "net", "network")
"""What a program calls its only model."""


def _namesake(vm: Walk, name: str, scope: Scope) -> Class | None:
    """The only module class of the file that a parameter is named after: `encoder` for `Encoder` or `EncoderRNN`.

    With an `AttentionEncoder` beside it, it may be either. A `model` is the file's only class of modules.
    """
    word = name.replace("_", "").lower()
    top = scope.top
    if len(vm.frames) > 2 or (len(word) < 4 and word not in ANY_MODEL):
        return None
    vm.budget.take(len(top.names) // 10)
    if word in ANY_MODEL:
        models = [each for each in top.names.values() if isinstance(each, Class) and is_module_class(each)]
        return models[0] if len(models) == 1 and top is vm.scope else None
    found = []
    for called, bound in list(top.names.items()):
        named = isinstance(bound, (Class, Pending)) and word in _stem(called)
        value = top.own(called) if named else None
        if isinstance(value, Class) and is_module_class(value):
            found.append(value)
    return found[0] if len(found) == 1 and _stem(found[0].name) == word else None


@lru_cache(4096)
def _stem(name: str) -> str:
    word = name.replace("_", "").lower()
    for ending in ("rnn", "lstm", "gru", "model", "network", "net"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word.removesuffix(ending)
    return word


def _default(vm: Walk, param: cst.Param, defaults: Scope, open_call: bool, own: Class | None) -> Value:
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
