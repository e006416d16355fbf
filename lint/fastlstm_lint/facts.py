"""What the interpreter tells the rules: one class per thing a linted program does with a tensor.

A rule names the facts it wants; each fact carries the node, the values before and after, and where it happens.
"""

from __future__ import annotations

from typing import Any

from . import cst
from .dims import Dim, Symbol
from .layers import Recurrent
from .records import record
from .values import Instance, Module, Tensor, Value


@record
class CameFrom:
    """The call that led into a function: its node, the loops around it, and the function (or module) it stands in."""

    call: cst.Call
    loops: tuple[Any, ...]
    body: Any


@record
class Where:
    """The place of a fact: the function it is in, and the loops around it, outermost first."""

    function: str
    loops: tuple[Any, ...] = ()
    node: Any = None  # the FunctionDef, None at module level
    instance: Instance | None = None  # the object whose method it is
    large: frozenset[Symbol] = frozenset()  # sizes of which an enclosing `if` says that one is above its smallest
    small: frozenset[Symbol] = frozenset()  # sizes of which an enclosing `if` says that all are at their smallest
    given: str = ""  # what a walk supposes of a constructor's flag: "bidirectional is True"
    foreign: bool = False  # whether the function is in another file than the linted one
    body: Any = None  # that function, or the module at module level
    came: CameFrom | None = None  # by which call of the program it was entered, if by one

    @property
    def in_class(self) -> bool:
        return self.instance is not None


@record
class Fact:
    """Base of all facts."""

    node: cst.CSTNode
    where: Where


@record
class Made(Fact):
    """A module was constructed. `nodes` are the argument expressions by parameter name."""

    module: Recurrent | Module
    arguments: dict[str, Value]
    nodes: dict[str, cst.BaseExpression]
    call: cst.Call
    positional: int


@record
class LayerCalled(Fact):
    """A recurrent layer or cell was called. `state` is the value given for h_0 or (h_0, c_0); None when not given."""

    call: cst.Call
    layer: Recurrent
    input: Value
    state: Value | None
    input_node: cst.BaseExpression | None
    state_node: cst.BaseExpression | None
    batch: Dim | None
    time: Dim | None
    packed: bool
    meanings: tuple[str | None, ...]  # of the input's axes as they were known before the call
    assumed: bool  # whether the number of the input's axes is taken from the layer, not from the program


@record
class ModuleCalled(Fact):
    """Another module of torch.nn was called."""

    call: cst.Call
    module: Module
    input: Value
    result: Value
    others: tuple[Value, ...]


@record
class Viewed(Fact):
    """view, reshape, flatten or unflatten. `target` holds the sizes asked for, -1 worked out where possible.

    `moved` are the axes of `source` that are asked for at another place in memory than they have: scrambled.
    """

    call: cst.Call
    method: str
    source: Tensor
    target: tuple[Dim | None, ...]
    result: Value
    receiver: cst.BaseExpression
    moved: tuple[int, ...] = ()


@record
class Indexed(Fact):
    """A tensor was indexed. `items` has one entry per index written: an int, a slice, None, Ellipsis or a value."""

    source: Tensor
    items: tuple[Value, ...]
    result: Value


@record
class Applied(Fact):
    """A function or method of the library was applied: `name` is its short name, `arguments` are bound by name."""

    call: cst.Call
    name: str
    arguments: dict[str, Value]
    nodes: dict[str, cst.BaseExpression]
    result: Value


@record
class Unpacked(Fact):
    """A value was unpacked into `targets` names; nested targets are tuples."""

    value: Value
    target: cst.BaseExpression
    source: cst.BaseExpression | None


@record
class Named(Fact):
    """A size was given a name; `tensor` is what it was taken from, as in `batch = output.size(0)`."""

    name: str
    size: Dim
    tensor: Tensor | None


@record
class Discarded(Fact):
    """An expression statement: the result of a call is thrown away."""

    call: cst.Call
    method: str
    source: Value


@record
class Misused(Fact):
    """A packed sequence, or the tuple that a layer returns, was used as if it were a tensor."""

    value: Value
    use: str


@record
class Refused(Fact):
    """torch, or Python, refuses this for every size that its symbols may stand for.

    `law` is the kind of law that is broken, `sentence` what is said; `operands` are what it is about, as the program
    calls them, and `made` are the statements that bind those names.
    """

    law: str
    sentence: str
    operands: tuple[tuple[str, Value], ...]
    made: tuple[tuple[str, cst.CSTNode], ...]
