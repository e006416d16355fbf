"""A reshape keeps the order of the numbers in memory: which axes it makes of which parts, and which it cuts across."""

from __future__ import annotations

from collections.abc import Sequence

from ..contract import BATCH, TIME
from ..dims import Dim, Symbol, never_equal, product
from ..naming import BATCH_NAMES, TIME_NAMES, names_of
from ..tensors import COPIES, Axis, Part, Tensor

Target = Sequence[Dim | None]
"""The sizes that a reshape asks for, -1 worked out; None where one is not known."""


def regroup(parts: Sequence[Part], target: Sequence[Dim]) -> tuple[Axis, ...] | None:
    """The axes that `target` makes of parts in memory order, or None where a size cuts across parts."""
    rest = [part for part in parts if part.size != 1]
    axes: list[Axis] = []
    for size in target:
        taken: list[Part] = []
        need = size
        while need != 1:
            if not rest:
                return None
            part = rest.pop(0)
            if (left := need.exact_div(part.size)) is not None:
                taken.append(part)
                need = left
            elif (inner := part.size.exact_div(need)) is not None:
                taken.append(Part(need, part.meaning))
                rest.insert(0, Part(inner, part.meaning))
                need = Dim.of(1)
            else:
                return None
        if len(taken) == 1 and taken[0].meaning == COPIES:
            taken = [Part(taken[0].size)]
        axes.append(Axis(tuple(taken)) if taken else Axis.of(1))
    return None if rest else tuple(axes)


def infer(total: Dim, target: Target) -> tuple[Dim | None, ...]:
    """The sizes asked for with -1 worked out; None where an entry is not known."""
    holes = [i for i, size in enumerate(target) if size is not None and size == -1]
    sizes = list(target)
    if len(holes) == 1:
        others = [size for i, size in enumerate(target) if i != holes[0]]
        known = [size for size in others if size is not None]
        sizes[holes[0]] = total.exact_div(product(known)) if len(known) == len(others) else None
    return tuple(sizes)


def before(sizes: Target, at: int) -> Dim | None:
    """The product of the sizes in front of position `at`: how often the axis there is repeated in memory."""
    front = [size for size in sizes[:at] if size is not None]
    return product(front) if len(front) == at else None


def moved_axes(
    source: Tensor,
    target: Target,
    read: Sequence[Axis | None] = (),
    hole: int | None = None,
    ones: frozenset[Symbol] = frozenset(),
) -> tuple[int, ...]:
    """The axes of `source` that a reshape asks for at another place in memory than they have: they are scrambled.

    An axis is recognised in the target by the expression its size was `read` from (`x.size(0)`), or by its size where
    that is unmistakable: it occurs once on each side, and is symbolic or belongs to a known batch or time axis. `hole`
    is the position of the -1, `ones` are sizes that the program has made sure are 1.
    """
    if (
        left_over(source, target)
        or _coincides(source, target, hole)
        or any(size is not None and _is_square(size) for size in target)
    ):
        return ()
    ones = ones | _swallowed(source, target, hole)
    sizes = [size.at_one(ones) for size in source.sizes]
    asked = [None if size is None else size.at_one(ones) for size in target]
    own = frozenset().union(*(size.symbols() for size in sizes)) if sizes else frozenset()
    certain = [axis.meaning in ((BATCH,), (TIME,)) for axis in source.axes]
    found = {i for i, _ in _elsewhere(sizes, asked, certain, own)}
    for there, axis in enumerate(read):
        here = [i for i, each in enumerate(source.axes) if each is axis]
        if axis is not None and len(here) == 1 and sizes[here[0]] != 1:
            mine, wanted = before(sizes, here[0]), before(asked, there)
            if mine is not None and wanted is not None and surely_other(wanted, mine, own):
                found.add(here[0])
    if any(len(axis.parts) > 1 for axis in source.axes):
        found |= _parts_elsewhere(source, asked, ones, own)
    return tuple(sorted(found))


def _coincides(source: Tensor, target: Target, hole: int | None) -> bool:
    """Whether a number asked for is that of the features by chance, so that -1 comes out as another axis: 256 steps
    of 256 features."""
    if hole is None or not source.rank:
        return False
    last = source.sizes[-1].value
    return last is not None and last > 1 and any(size == last for i, size in enumerate(target[:-1]) if i != hole)


def _is_square(size: Dim) -> bool:
    """Whether a size is another one times itself: the program takes two axes to be as long as each other."""
    rests = [size.exact_div(Dim.of(symbol)) for symbol in size.symbols()]
    return any(
        rest is not None and rest.exact_div(Dim.of(symbol)) is not None
        for rest, symbol in zip(rests, size.symbols(), strict=True)
    )


def _parts_elsewhere(source: Tensor, asked: Target, ones: frozenset[Symbol], own: frozenset[Symbol]) -> set[int]:
    """The same for the parts of merged axes: rows of (time * batch) split into (batch, time)."""
    known = [size for size in asked if size is not None]
    parts = [(i, part) for i, axis in enumerate(source.axes) for part in axis.parts]
    sizes = [part.size.at_one(ones) for _, part in parts]
    if len(known) != len(asked) or not (product(known) == product(sizes) or _only_last_differs(sizes, known)):
        return set()
    certain = [part.known in (BATCH, TIME, COPIES) for _, part in parts]
    return {parts[at][0] for at, _ in _elsewhere(sizes, asked, certain, own)}


def _only_last_differs(sizes: Sequence[Dim], asked: Sequence[Dim]) -> bool:
    """Whether only the end differs: the last size asked for is the source's last, or last ones, by another name."""
    mine = [size for size in sizes if size not in asked]
    theirs = [size for size in asked if size not in sizes]
    at_the_end = all(a is b for a, b in zip(mine, sizes[len(sizes) - len(mine) :], strict=True))
    return bool(mine) and len(theirs) == 1 and at_the_end and theirs[0] is asked[-1]


def _elsewhere(
    sizes: Sequence[Dim], asked: Target, certain: Sequence[bool], own: frozenset[Symbol]
) -> list[tuple[int, int]]:
    """The positions in `sizes` of what is asked for at another place, with that place."""
    found = []
    for i, size in enumerate(sizes):
        value = size.value
        if (value is not None and (value <= 1 or not certain[i])) or sizes.count(size) != 1:
            continue
        if list(asked).count(size) != 1:
            continue
        there = list(asked).index(size)
        mine, wanted = before(sizes, i), before(asked, there)
        if mine is None or wanted is None:
            continue
        if surely_other(wanted, mine, own) or (mine == 1 and counts_steps(wanted)):
            found.append((i, there))
    return found


def _swallowed(source: Tensor, target: Target, hole: int | None) -> frozenset[Symbol]:
    """Sizes that go into a -1 together with other axes, so that they may well be 1: nothing says that they are more."""
    size = None if hole is None else target[hole]
    if size is None:
        return frozenset()
    elsewhere = {symbol for i, each in enumerate(target) if i != hole and each is not None for symbol in each.symbols()}
    inside = size.symbols() - elsewhere
    axes = [axis for axis in source.axes if axis.size.symbol in inside]
    if len(axes) < 2:
        return frozenset()
    return frozenset(
        symbol
        for axis in axes
        if (symbol := axis.size.symbol) in inside
        and symbol is not None
        and all(part.known is None for part in axis.parts)
        and not counts_steps(axis.size)
        and names_of(axis.size).isdisjoint(BATCH_NAMES)
    )


def left_over(source: Tensor, target: Target) -> bool:
    """Whether a reshape leaves out sizes that must therefore be 1: (steps, batch, hidden) viewed as (steps, hidden)."""
    asked = [size for size in target if size is not None]
    rest = product(source.sizes).exact_div(product(asked)) if len(asked) == len(target) else None
    return rest is not None and rest.value is None


def counts_steps(size: Dim) -> bool:
    """Whether a size is a number of time steps, by its meaning or its name: more than one, as good as always."""
    symbol = size.symbol
    return symbol is not None and (symbol.meaning == TIME or not names_of(size).isdisjoint(TIME_NAMES))


def surely_other(asked: Dim, mine: Dim, own: frozenset[Symbol]) -> bool:
    """Whether two products differ. `own` are the symbols of the tensor that is reshaped.

    One with a symbol that the source does not have may be the same number after all, and so may a number above 1.
    """
    if asked.value is not None and asked != 1 and not never_equal(asked, mine):
        return False
    return asked != mine and asked.symbols() <= own
