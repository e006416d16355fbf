"""Where the paths of a branch or loop meet again."""

from __future__ import annotations

from .. import cst
from ..dims import Dim
from ..tensors import GUESSED
from ..values import NONE, Many, Num, Opaque, Tensor, Tup, Value, dim_of
from .join import join
from .scope import Frame, Snapshot
from .truth import by_flag, tested_for_none
from .walk import Walk


def merge(vm: Walk, other: Snapshot, test: cst.BaseExpression | None = None, tested: Value = NONE) -> None:
    """Join the frame's present state with `other`, the state at the end of the path that `test` led to."""
    frame = vm.frame
    if not other.alive:
        return
    if not frame.alive:
        frame.restore(other)
        return
    filled = None if test is None else tested_for_none(test)
    name = filled[0].value if filled is not None and isinstance(filled[0], cst.Name) else None
    _merge_names(frame.scope.names, other.names, tested, name, filled is not None and filled[1])
    if frame.instance is not None and other.attributes is not None:
        _merge_names(frame.instance.attributes, other.attributes, tested, None, False)


class Ranks:
    """The unknowns at the head of a branch: what one path takes for the number of their axes, the other need not."""

    def __init__(self, frame: Frame) -> None:
        self.open: list[Opaque] = []
        held = frame.instance.attributes.values() if frame.instance is not None else ()
        for value in (*frame.scope.names.values(), *held):
            found: Value | None = value
            while isinstance(found, Opaque) and found.settled is None:
                self.open.append(found)
                found = getattr(found, "base", None)
        self.first: dict[Opaque, Tensor] = {}

    def turn(self) -> None:
        """The first path is done: the second one begins as it did."""
        for unknown in self.open:
            if unknown.settled is not None:
                self.first[unknown] = unknown.settled
                unknown.settled = None

    def meet(self, first_goes_on: bool, second_goes_on: bool) -> None:
        """Both are done: what only one of them has said is a guess, where the other one goes on as well."""
        for unknown, found in self.first.items():
            second = unknown.settled
            if not first_goes_on:
                continue
            if second is None or not second_goes_on:
                guess = second_goes_on and GUESSED not in found.traits
                unknown.settled = found.replaced(found.axes, found.origin, found.traits | {GUESSED}) if guess else found
            elif second.rank != found.rank:
                unknown.settled = None


def _merge_names(
    mine: dict[str, Value], theirs: dict[str, Value], tested: Value, filled: str | None, from_theirs: bool
) -> None:
    given, made = (mine, theirs) if from_theirs else (theirs, mine)
    sizes = {} if filled is None else _measured_as(given.get(filled), made.get(filled))
    for name, value in theirs.items():
        present = mine.get(name)
        if present is None:
            mine[name] = value
        elif present is not value:
            if name == filled and isinstance(present if from_theirs else value, Opaque):
                # `if h is None: h = zeros(...)`: what is passed must fit where the zeros fit.
                mine[name] = _as_made(value if from_theirs else present, name)
            elif (chosen := by_flag(tested, value, present)) is not None:
                mine[name] = chosen
            elif isinstance(size := given[name], Num) and size.dim in sizes and sizes[size.dim] == dim_of(made[name]):
                # `if h is None: b, h = n, zeros(n, H)`, `else: b = h.size(0)`: the same size by another name.
                mine[name] = made[name]
            else:
                mine[name] = join(present, value, name)


def _as_made(value: Value, name: str) -> Value:
    """What stands in for what is not given: zeros say what they replace, a value made otherwise may only be like it.

    So may a size that is measured; another number is a setting, and what is given is another one.
    """
    if isinstance(value, Num) and value.axis is None:
        return Opaque(name)
    if isinstance(value, Many) or (isinstance(value, Tup) and value.is_list):
        return Opaque("list")  # a pair of states may be given instead
    if not isinstance(value, Tensor) or "created" in value.traits:
        return value
    return value.replaced(value.axes, value.origin, value.traits | {GUESSED})


def _measured_as(given: Value | None, made: Value | None) -> dict[Dim, Dim]:
    """The sizes of an unknown as those of the tensor that takes its place."""
    if not isinstance(given, Opaque) or not isinstance(made, Tensor):
        return {}
    return {size: made.sizes[i] for i, size in given.measured().items() if -made.rank <= i < made.rank}
