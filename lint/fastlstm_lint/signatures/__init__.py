"""The shape laws of torch and fastlstm, one file per family.

The interpreter asks here what a library call gives. What no file knows is unknown.
"""

from __future__ import annotations

from typing import Any

from .. import cst
from ..dims import words
from ..facts import Misused
from ..layers import Recurrent
from ..records import replace
from ..values import Foreign, Module, Opaque, Packed, Tensor, Tup, Value, resolve
from . import (
    arrays,
    broadcast,
    creation,
    einops,
    einsum,
    functional,
    grids,
    index,
    joining,
    linalg,
    losses,
    modules,
    packing,
    products,
    recurrent,
    reductions,
    same,
    sizes,
    splitting,
    squares,
    views,
)
from .caller import Caller
from .recurrent import RECURRENT
from .refusal import Refusal, tell
from .registry import CONSTRUCTORS, FUNCTIONS, METHODS, Site, invoke

FAMILIES = (
    arrays,
    broadcast,
    creation,
    einops,
    einsum,
    functional,
    grids,
    index,
    joining,
    linalg,
    losses,
    packing,
    products,
    reductions,
    same,
    sizes,
    splitting,
    squares,
    views,
)
"""Importing these fills the tables of `registry`."""

CHAINED = frozenset(words("to cuda cpu eval train float double half bfloat16 apply requires_grad_ xpu"))
"""Methods of a module that return the module."""

OF_SEQUENCES = frozenset(words("index count copy sort reverse append extend insert pop remove clear numel"))
"""Methods of a tuple, list or torch.Size that tensors may have as well."""

TENSOR_ONLY = frozenset(words("view reshape permute transpose squeeze unsqueeze size dim contiguous flatten"))


def call_function(vm: Caller, node: cst.Call, name: str, arguments: Any) -> Value | None:
    """What a library function or constructor gives, by its full name."""
    signature = FUNCTIONS.get(name) or CONSTRUCTORS.get(name)
    if signature is None:
        if name.startswith("torch.nn.") and name.count(".") == 2:
            return modules.unknown_module(Site(vm, node, name), arguments)
        return None
    return invoke(signature, Site(vm, node, name.rpartition(".")[2]), arguments)


RESHAPED = {f"{name}_": name for name in words("unsqueeze squeeze transpose t swapaxes swapdims")}
"""Methods that change the axes of a tensor in place, and those that make another one of it."""

RESIZED = frozenset(words("resize_ resize_as_ set_ as_strided_"))


def call_method(vm: Caller, node: cst.Call, base: Value, name: str, arguments: Any) -> Value | None:
    """What a method of a tensor (or of an unknown that may be one) gives."""
    if isinstance(base, Packed):
        if name in TENSOR_ONLY:
            vm.emit(Misused(node, vm.where(), base, f".{name}()"))
        if name in ("cpu", "cuda", "pin_memory"):
            return base
        return replace(base, dtype=same.TYPES.get(name)) if name in same.TYPES or name == "to" else None
    if isinstance(base, Tup) and base.kind == "layer" and name in TENSOR_ONLY:
        vm.emit(Misused(node, vm.where(), base, f".{name}()"))
    if isinstance(base, Tup) and name in METHODS and name not in OF_SEQUENCES:
        word = "torch.Size" if base.kind == "shape" else "list" if base.is_list else "tuple"
        receiver = node.func.value if isinstance(node.func, cst.Attribute) else None
        return tell(
            vm, node, Refusal("type", f"'{word}' object has no attribute '{name}'", sure=True), [("it", receiver, base)]
        )
    if isinstance(base, Foreign):
        return arrays.kept(base, name) or base.attribute(f"{name}()")
    if isinstance(base, Tensor) and (name in RESHAPED or name in RESIZED) and isinstance(node.func, cst.Attribute):
        law = METHODS.get(RESHAPED.get(name, ""))
        result = None if law is None else invoke(law, Site(vm, node, RESHAPED[name]), arguments, base)
        vm.rebind(node.func.value, result or Opaque("?"), base)
        return result or Opaque("?")
    if isinstance(base, (Tensor, Opaque)):
        signature = METHODS.get(name)
        if signature is not None and (isinstance(base, Tensor) or signature.may_be_called(arguments.positional)):
            return invoke(signature, Site(vm, node, name), arguments, base)
    return None


def call_module(vm: Caller, node: cst.Call, module: Recurrent | Module, arguments: Any) -> Value | None:
    """What calling a module gives."""
    site = Site(vm, node, "forward")
    if isinstance(module, Recurrent):
        return recurrent.call(site, module, arguments)
    given = arguments.positional[0] if arguments.positional else arguments.keywords.get("input")
    value = Opaque("?") if given is None else resolve(given)
    return modules.call(site, module, value, arguments)


__all__ = ["CHAINED", "FAMILIES", "RECURRENT", "broadcast", "call_function", "call_method", "call_module", "index"]
