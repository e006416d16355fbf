"""Objects of the program's own classes: their construction, and their methods."""

from __future__ import annotations

from collections.abc import Sequence

from .. import cst, signatures
from ..layers import Recurrent
from ..nodes import children
from ..values import Class, Function, Instance, Module, Opaque, Value
from .imports import canonical
from .walk import Walk

MODULE_BASES = ("Module", "LightningModule", "PreTrainedModel", "Layer")


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
    vm: Walk,
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
    cls.is_made = cls.is_made or not entry
    init = cls.find("__init__")
    if isinstance(init, Function):
        bound = bind_method(init, instance)
        if isinstance(bound, Function):
            vm.call(bound, positional, keywords, complete=complete, entry=entry)
    elif is_record(cls):
        _fill(instance, positional, keywords, complete and not entry)
    for name in reassigned(cls):
        value = instance.attributes.get(name)
        if value is not None and not isinstance(value, (Recurrent, Module, Instance)):
            del instance.attributes[name]
    return instance


RECORDS = frozenset(("dataclass", "dataclasses", "define", "frozen", "mutable", "attrs", "s"))
"""Last words of the decorators that write an `__init__` from the annotated names of a class: dataclasses, attrs."""


def is_record(cls: Class) -> bool:
    """Whether a class takes its annotated names as arguments."""
    for decorator in cls.node.decorators:
        node = decorator.decorator
        node = node.func if isinstance(node, cst.Call) else node
        if getattr(getattr(node, "attr", node), "value", None) in RECORDS:
            return True
    return False


def _fill(instance: Instance, positional: Sequence[Value], keywords: dict[str, Value], complete: bool) -> None:
    """Give a record's fields what it is made with; those that are left out keep the default of the class."""
    names: dict[str, None] = {}
    for cls in reversed(instance.cls.line()):
        for statement in cls.node.body.body:
            if isinstance(statement, cst.AnnAssign) and isinstance(statement.target, cst.Name):
                names[statement.target.value] = None
    given = {**dict(zip(names, positional, strict=False)), **keywords}
    for name in names:
        if name in given:
            instance.attributes[name] = given[name]
        elif not complete:
            instance.attributes[name] = Opaque(name)


def reassigned(cls: Class) -> frozenset[str]:
    """Attributes that a method other than `__init__` assigns: their value on entry is not the constructor's."""
    if cls.reassigned is not None:
        return cls.reassigned
    names: set[str] = set()
    for value in cls.body.values():
        if isinstance(value, Function) and value.name != "__init__":
            stack: list[cst.CSTNode] = [value.node.body]
            while stack:
                node = stack.pop()
                if isinstance(node, (cst.Assign, cst.AnnAssign, cst.AugAssign)):
                    targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
                    names.update(_self_attributes(targets))
                elif isinstance(node, (cst.BaseSuite, cst.BaseStatement, cst.Else, cst.ExceptHandler, cst.MatchCase)):
                    stack.extend(children(node))
    cls.reassigned = frozenset(names)
    return cls.reassigned


def _self_attributes(targets: Sequence[cst.CSTNode]) -> set[str]:
    found: set[str] = set()
    for target in targets:
        if isinstance(target, (cst.Tuple, cst.List)):
            found |= _self_attributes([element.value for element in target.elements])
        elif isinstance(target, cst.Attribute) and isinstance(target.value, cst.Name) and target.value.value == "self":
            found.add(target.attr.value)
    return found
