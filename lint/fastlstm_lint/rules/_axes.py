"""What several rules ask about a reshape: does it keep, merge or scramble axes?"""

from __future__ import annotations

from collections.abc import Sequence

from fastlstm.contract import BATCH, TIME

from ..dims import Dim, never_equal, product
from ..values import Tensor
from ._code import TIME_NAMES

Target = Sequence[Dim | None]


def before(sizes: Target, at: int) -> Dim | None:
    """The product of the sizes in front of position `at`: how often the axis there is repeated in memory."""
    front = [size for size in sizes[:at] if size is not None]
    return product(front) if len(front) == at else None


def moved_axes(source: Tensor, target: Target) -> list[int]:
    """The axes of `source` that a reshape asks for at another place in memory than they have: they are scrambled.

    An axis is recognised in the target by its size, where that size is unmistakable: it occurs once on each side, and
    is symbolic or belongs to a known batch or time axis.
    """
    sizes = list(source.sizes)
    found: list[int] = []
    if left_over(source, target):
        return found
    for i, size in enumerate(sizes):
        certain = size.value is None or (size.value > 1 and source.axes[i].meaning in ((BATCH,), (TIME,)))
        if not certain or sizes.count(size) != 1 or list(target).count(size) != 1:
            continue
        there = list(target).index(size)
        mine, asked = before(sizes, i), before(target, there)
        if mine is None or asked is None:
            continue
        if surely_other(asked, mine, source) or (mine == 1 and counts_steps(asked)):
            found.append(i)
    return found


def left_over(source: Tensor, target: Target) -> bool:
    """Whether a reshape leaves out sizes that must therefore be 1: (steps, batch, hidden) viewed as (steps, hidden)."""
    asked = [size for size in target if size is not None]
    rest = product(source.sizes).exact_div(product(asked)) if len(asked) == len(target) else None
    return rest is not None and rest.value is None


def counts_steps(size: Dim) -> bool:
    """Whether a size is a number of time steps, by its meaning or its name: more than one, as good as always."""
    symbol = size.symbol
    return symbol is not None and (
        symbol.meaning == TIME or bool({symbol.name.rpartition(".")[2], symbol.alias} & TIME_NAMES)
    )


def surely_other(asked: Dim, mine: Dim, source: Tensor) -> bool:
    """Whether two products differ.

    One with a symbol that the source does not have may be the same number after all, and so may a number above 1.
    """
    own = {symbol for size in source.sizes for symbol in size.symbols()}
    if asked.value is not None and asked != 1 and not never_equal(asked, mine):
        return False
    return asked != mine and asked.symbols() <= own
