"""`def` and `class`: the functions and classes of the linted program."""

from __future__ import annotations

from .. import cst
from ..dims import words
from ..values import Class, Function, Opaque, Value
from .scope import Frame, Scope
from .walk import Walk

TRANSPARENT = frozenset(
    words(
        "no_grad enable_grad inference_mode autocast override overload abstractmethod typechecked beartype jaxtyped "
        "script script_method export compile custom_fwd"
    )
)
"""Decorators whose function gives what it gave without them."""


def define_function(vm: Walk, statement: cst.FunctionDef) -> None:
    frame = vm.frame
    name = statement.name.value
    function = Function(statement, frame.scope, name=name)
    value: Value = function
    vm.define(function)
    for decorator in statement.decorators:
        label = decorator.decorator
        word = (
            label.value if isinstance(label, cst.Name) else label.attr.value if isinstance(label, cst.Attribute) else ""
        )
        if word in ("property", "cached_property", "staticmethod", "classmethod"):
            function.decorator = "property" if word == "cached_property" else word
        elif word and word not in TRANSPARENT:
            value = Opaque(name)
            break
    frame.scope.names[name] = value


def define_class(vm: Walk, statement: cst.ClassDef) -> None:
    frame = vm.frame
    bases = tuple(vm.evaluate(argument.value) for argument in statement.bases if argument.star == "")
    cls = Class(statement, frame.scope, statement.name.value, bases)
    inner = Frame(Scope(frame.scope), statement.name.value, node=statement)
    vm.frames.append(inner)
    vm.run(statement.body.body)
    vm.frames.pop()
    cls.body = inner.scope.names
    for value in cls.body.values():
        if isinstance(value, Function):
            value.scope = frame.scope
            value.owner = cls
    vm.define(cls)
    frame.scope.names[statement.name.value] = cls
