"""The tables that signature files fill, and the binding of arguments to a signature's names.

A signature is a plain function: its first parameter is the `Site` of the call, the others are named as torch names
them, and it returns the value of the call or None for unknown.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .. import cst
from ..dims import Dim, Invented, words
from ..facts import Applied, Fact
from ..records import changing, field
from ..tensors import GUESSED
from ..values import Const, Num, Opaque, SizesOf, Tensor, Tup, Value, dim_of, resolve, tensor_of
from . import dtypes
from .caller import Caller
from .refusal import Refusal, dimension, tell

Handler = Callable[..., Value | None]


@changing
class Site:
    """One call: where it stands, and the nodes of its arguments by name."""

    vm: Caller
    node: cst.Call
    name: str = ""
    nodes: dict[str, cst.BaseExpression] = field(default_factory=dict)
    positional: int = 0
    complete: bool = True
    keywords: dict[str, Value] = field(default_factory=dict)

    def dtype(self, default: str | None) -> str | None:
        """The element type that the call asks for; `default` where it does not."""
        return dtypes.named(self.keywords.get("dtype"), default) if self.complete else None

    def refused(self, refusal: Refusal, bound: dict[str, Value]) -> Opaque:
        """Tell the rules that torch refuses the call with these arguments."""
        return tell(self.vm, self.node, refusal, [(name, self.nodes.get(name), each) for name, each in bound.items()])

    def emit(self, fact: type[Fact], node: cst.CSTNode, *values: Any, **named: Any) -> None:
        """Tell the rules; `node` is where a message points."""
        self.vm.emit(fact(node, self.vm.where(), *values, **named))

    def applied(self, arguments: dict[str, Value], result: Value | None) -> Value | None:
        """Tell the rules of a call of a function or method, and return its result."""
        value = Opaque("?") if result is None else result
        self.emit(Applied, self.node, self.node, self.name, arguments, self.nodes, value)
        return value


@changing
class Signature:
    """A handler and how arguments are bound to it; the last parameter takes all the rest when `variadic`."""

    handler: Handler
    variadic: bool
    names: list[str] | None = None
    required: frozenset[str] = frozenset()

    def parameters(self) -> list[str]:
        if self.names is None:
            found = list(inspect.signature(self.handler).parameters.values())[1:]
            self.names = [each.name for each in found]
            self.required = frozenset(each.name for each in found if each.default is each.empty)
        return self.names

    def may_be_called(self, positional: Sequence[Value]) -> bool:
        """Whether a method of tensors takes these arguments: an unknown with a method of the name may be no tensor."""
        names = self.parameters()[1:]
        if len(positional) > len(names) and not self.variadic:
            return False
        pairs = zip(names, map(resolve, positional), strict=False)
        return not any(
            name in ("dim", "dim0", "dim1") and not isinstance(each, (Num, Const, Tup)) and not _is_counted(each)
            for name, each in pairs
        )


def _is_counted(value: Value) -> bool:
    return isinstance(value, Opaque) and value.is_counted


FUNCTIONS: dict[str, Signature] = {}
METHODS: dict[str, Signature] = {}
CONSTRUCTORS: dict[str, Signature] = {}


def function(*names: str, variadic: bool = False) -> Callable[[Handler], Handler]:
    """Register a library function by its full names."""
    return _register(FUNCTIONS, names, variadic)


def method(*names: str, variadic: bool = False) -> Callable[[Handler], Handler]:
    """Register a tensor method."""
    return _register(METHODS, names, variadic)


def tensor_op(*names: str, variadic: bool = False) -> Callable[[Handler], Handler]:
    """Register both `torch.name(x, ...)` and `x.name(...)`."""

    def register(handler: Handler) -> Handler:
        _register(METHODS, names, variadic)(handler)
        return _register(FUNCTIONS, tuple(f"torch.{name}" for name in names), variadic)(handler)

    return register


def _register(table: dict[str, Signature], names: tuple[str, ...], variadic: bool) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        signature = Signature(handler, variadic)
        for name in names:
            table[name] = signature
        return handler

    return register


NEUTRAL = frozenset(
    words(
        "dtype device requires_grad non_blocking pin_memory generator layout memory_format copy out inplace training p "
        "min max mean std eps weight pos_weight ignore_index label_smoothing sorted stable descending volatile alpha"
    )
)
"""Arguments that no handler names, since they change no axis; those that ask for an element type are read apart."""

SEVERAL = frozenset(words("size shape sizes dims repeats tensors operands"))
"""What torch calls the arguments of which any number may stand side by side, where they are given by keyword."""

RETURNS_PAIR = frozenset(("max", "min", "median", "mode", "sort", "kthvalue", "cummax", "cummin"))
"""Functions that give values and their places along a dim."""


def invoke(signature: Signature, site: Site, arguments: Any, receiver: Value | None = None) -> Value | None:
    """Bind arguments by name and call the handler.

    What it does not look at makes its answer a guess, where that may change an axis: `rounding_mode=`, or `*args` of
    which nothing is known.
    """
    names = signature.parameters()
    values = list(arguments.positional)
    nodes = list(arguments.nodes)
    if receiver is not None:
        values.insert(0, receiver)
        func = site.node.func
        nodes.insert(0, func.value if isinstance(func, cst.Attribute) else func)
    bound: dict[str, Value] = {}
    site.complete = arguments.complete
    site.keywords = arguments.keywords
    site.positional = len(arguments.positional)
    fixed = names[:-1] if signature.variadic else names
    for name, value, node in zip(fixed, values, nodes, strict=False):
        bound[name] = value
        site.nodes[name] = node
    overlooked = not arguments.complete
    for asked, value in arguments.keywords.items():
        name = asked
        if name == "axis" and "dim" in names and "dim" not in arguments.keywords:
            if site.name in RETURNS_PAIR:  # NumPy's, which gives the values alone
                return None
            name = "dim"
        if name == "keepdims" and "keepdim" in names:
            name = "keepdim"
        if signature.variadic and name in SEVERAL:
            name = names[-1]
            value = _rest([value])
        if name in names:
            bound[name] = value
            site.nodes[name] = arguments.keyword_nodes.get(asked, site.node)
        elif name not in NEUTRAL:
            overlooked = True
    if signature.variadic:
        last = names[-1]
        rest = values[len(fixed) :]
        if last not in bound:
            if not arguments.complete:
                return None
            bound[last] = _rest(rest)
    if not signature.required <= bound.keys():
        return None
    try:
        result = signature.handler(site, **bound)
    except Refusal as refusal:
        return site.refused(refusal, bound)
    if isinstance(result, Tensor) and (overlooked or any(_is_guess(each) for each in bound.values())):
        return guessed(result.typed(None) if overlooked else result)
    return result


def _is_guess(value: Value) -> bool:
    found = resolve(value)
    return isinstance(found, Tensor) and GUESSED in found.traits


def guessed(tensor: Tensor) -> Tensor:
    """The same tensor, of a number of axes that is not certain."""
    return Tensor(tensor.axes, tensor.origin, tensor.traits | {GUESSED}, tensor.dtype, tensor.strides)


def _rest(values: list[Value]) -> Value:
    """`view(2, 3)` and `view((2, 3))` alike."""
    if len(values) == 1:
        only = resolve(values[0])
        if isinstance(only, (Tup, SizesOf)) or (isinstance(only, Opaque) and not only.is_counted):
            return only
    return Tup(tuple(values))


def dims_of(value: Value | None) -> list[Dim | None] | None:
    """A shape argument as sizes; None for an entry that is not known at all. An unknown may be a size or a shape."""
    value = None if value is None else resolve(value)
    if isinstance(value, Opaque) and not value.is_counted:
        return None
    if isinstance(value, Tup):
        return [dim_of(resolve(item)) for item in value.items]
    single = dim_of(value)
    return None if single is None else [single]


def unknown_size(name: str = "?") -> Dim:
    return Dim.of(Invented(name))


def axis_number(value: Value | None, rank: int) -> int | None:
    """A `dim` argument counted from the front; None when not known. Out of range, torch refuses."""
    at = dimension(value, rank)
    return None if at is None or at >= rank else at


def flag_value(value: Value | None, default: bool) -> bool | None:
    """A boolean argument: its value, the default when not given, None when not known."""
    if value is None:
        return default
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Num) and value.dim.value is not None:
        return bool(value.dim.value)
    return None


def as_tensor(value: Value | None) -> Tensor | None:
    """The tensor, if it is one of known rank."""
    return tensor_of(None if value is None else resolve(value))
