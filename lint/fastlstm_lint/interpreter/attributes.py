"""`base.name`: what the attributes of tensors, layers, objects and modules are."""

from __future__ import annotations

from .. import cst
from ..dims import Dim
from ..facts import Misused
from ..layers import Recurrent
from ..signatures import views
from ..signatures.registry import unknown_size
from ..values import (
    Axis,
    Class,
    Const,
    Flag,
    Foreign,
    Function,
    Instance,
    Method,
    Module,
    Name,
    Num,
    Opaque,
    Packed,
    SizesOf,
    Tensor,
    Tup,
    Value,
    resolve,
)
from .imports import FileModule, member
from .objects import bind_method
from .walk import Walk


def attribute(vm: Walk, node: cst.CSTNode, base: Value, name: str) -> Value:
    """`base.name`."""
    base = resolve(base)
    if isinstance(base, Name):
        return Name(tuple(f"{choice}.{name}" for choice in base.choices))
    if isinstance(base, Instance):
        return _instance_attribute(vm, base, name)
    if isinstance(base, Tensor):
        if name == "shape":
            return Tup(tuple(Num(axis.size, axis) for axis in base.axes), kind="shape")
        if name in ("data", "real"):
            return base
        if name in ("T", "mT", "H", "mH"):
            return views.turned(vm, node, base, name)
        if name == "ndim":
            return Num(Dim.of(base.rank))
        return Method(base, name)
    if isinstance(base, Opaque):
        if name == "shape":
            return SizesOf(base)
        if name in ("data", "real"):
            return base
        if isinstance(base, Foreign) and base.holds is not None and name == "values":
            return base
        return base.attribute(name)
    if isinstance(base, Recurrent):
        return _layer_attribute(base, name)
    if isinstance(base, Module):
        if name in base.config:
            return base.config[name]
        return Method(base, name)
    if isinstance(base, Tup) and base.kind == "named" and name in ("values", "indices"):
        return base.items[0 if name == "values" else 1]
    if isinstance(base, Packed):
        if name == "data" and base.rank == 3:
            return Tensor((Axis.of(unknown_size("steps")), base.feature), None, frozenset(), base.dtype)
        if name in ("shape", "ndim", "size", "dim", "view", "reshape", "transpose", "permute", "squeeze", "contiguous"):
            vm.emit(Misused(node, vm.where(), value=base, use=f".{name}"))
        return Method(base, name)
    if isinstance(base, FileModule):
        return member(vm, base, name)
    if isinstance(base, Class):
        found = base.find(name)
        return found if found is not None else Opaque(f"{base.name}.{name}")
    return Method(base, name)


def _instance_attribute(vm: Walk, base: Instance, name: str) -> Value:
    if name in base.attributes:
        return base.attributes[name]
    found = base.cls.find(name)
    if isinstance(found, Function):
        bound = bind_method(found, base)
        if isinstance(bound, Function) and bound.decorator == "property":
            return vm.call(bound, [], {})
        return bound
    if found is not None:
        return found
    if name in ("training",):
        return Opaque("training")
    value = Opaque(f"self.{name}")
    base.attributes[name] = value
    return value


def _layer_attribute(layer: Recurrent, name: str) -> Value:
    sizes = {"input_size": layer.input_size, "hidden_size": layer.hidden_size, "num_layers": layer.num_layers}
    if name in sizes:
        return Num(sizes[name])
    if name == "bidirectional":
        count = layer.directions
        return Const(count.value == 2) if count.value is not None else Flag("bidirectional", count)
    if name == "batch_first" and layer.batch_first is not None:
        return Const(layer.batch_first)
    return Method(layer, name)
