"""What several rules ask about sizes and axes."""

from __future__ import annotations

from .. import cst
from ..contract import TIME
from ..dims import Dim, more_than_one, never_equal
from ..facts import Where
from ..nodes import code_of
from ..values import Tensor
from ._code import argument


def always_differ(a: Dim, b: Dim) -> bool:
    """Whether two sizes differ for all values of their symbols, or under the program's default arguments."""
    if never_equal(a, b):
        return True
    left, right = a.default(), b.default()
    return left is not None and right is not None and left != right


def several(size: Dim, where: Where) -> bool | None:
    """Whether a count of layers or directions is above 1 at this place; None where it cannot be told.

    What an enclosing `if num_layers > 1` says counts more than the default of the argument.
    """
    symbols = size.symbols()
    if symbols & where.small:
        return None
    return True if symbols & where.large else more_than_one(size)


def argument_edit(
    call: object, position: int, name: str, present: Dim, wanted: Dim
) -> tuple[tuple[cst.CSTNode, str], ...]:
    """An edit that gives a constructor argument another size, where that size can be written down."""
    node = argument(call, position, name) if isinstance(call, cst.Call) else None
    if node is None:
        return ()
    if wanted.value is not None and isinstance(node, cst.Integer):
        return ((node, str(wanted.value)),)
    if isinstance(node, cst.Integer):
        return ()
    times = wanted.exact_div(present)
    if times is not None and times.value is not None:
        text = code_of(node)
        return ((node, f"{text} * {times}" if isinstance(node, (cst.Name, cst.Attribute)) else f"({text}) * {times}"),)
    return ()


def steps_axis(source: Tensor) -> int | None:
    """The axis of time, or the one that has time and the features merged, whose last entry is of the last step."""
    merged = [i for i, axis in enumerate(source.axes) if len(axis.meaning) > 1 and axis.meaning[0] == TIME]
    at = source.find(TIME)
    return at if at is not None or len(merged) != 1 else merged[0]
