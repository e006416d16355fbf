"""How tensors lie in memory: the strides of a result, and which regroupings a view can make of them.

Strides are known only where all sizes are numbers; what is not known never refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..tensors import CONTIGUOUS, Strides
from ..values import Tensor


def written(sizes: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor that lies in memory as its axes are written."""
    strides: list[int] = []
    step = 1
    for size in reversed(sizes):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def strides_of(tensor: Tensor) -> tuple[int, ...] | None:
    """The strides as numbers, where they are known."""
    if isinstance(tensor.strides, tuple):
        return tensor.strides
    sizes = tensor.numbers if tensor.strides == CONTIGUOUS else None
    return None if sizes is None else written(sizes)


def is_contiguous(tensor: Tensor) -> bool | None:
    """Whether a tensor lies in memory as its axes are written; axes of one entry do not count."""
    if tensor.strides == CONTIGUOUS:
        return True
    sizes, strides = tensor.numbers, strides_of(tensor)
    if sizes is None or strides is None:
        return None
    if 0 in sizes:
        return True
    return all(size == 1 or a == b for size, a, b in zip(sizes, strides, written(sizes), strict=True))


def viewed(sizes: Sequence[int], strides: Sequence[int], wanted: Sequence[int]) -> tuple[int, ...] | None:
    """The strides of a view of other sizes, or None where no view can have them.

    Axes that follow each other in memory make one run; a wanted axis must not leave its run.
    """
    if 0 in sizes or not sizes:
        return written(wanted)
    result = [0] * len(wanted)
    at = len(wanted) - 1
    base, run, taken = strides[-1], 1, 1
    for i in reversed(range(len(sizes))):
        run *= sizes[i]
        if i and (sizes[i - 1] == 1 or strides[i - 1] == run * base):
            continue
        while at >= 0 and (taken < run or wanted[at] == 1):
            result[at] = taken * base
            taken *= wanted[at]
            at -= 1
        if taken != run:
            return None
        if i:
            base, run, taken = strides[i - 1], 1, 1
    return tuple(result) if at < 0 else None


def pointwise(tensors: Sequence[Tensor], sizes: Sequence[int] | None) -> Strides:
    """The strides of an elementwise result: the order in memory is that of the operands."""
    if len(tensors) == 1 and tensors[0].strides == CONTIGUOUS:
        return CONTIGUOUS
    if sizes is None:
        return None
    given: list[list[int]] = []
    exact: set[tuple[int, ...]] = set()
    for tensor in tensors:
        own, strides = tensor.numbers, strides_of(tensor)
        if own is None or strides is None:
            return None
        lead = len(sizes) - len(own)
        exact.add(strides if list(own) == list(sizes) else (-1,))
        spread = [0 if a == 1 and b != 1 else step for a, b, step in zip(own, sizes[lead:], strides, strict=True)]
        given.append([0] * lead + spread)
    if all(is_contiguous(each) and each.numbers == list(sizes) for each in tensors):
        return CONTIGUOUS
    if len(exact) == 1 and _dense(sizes, only := exact.pop()):
        return only
    return _laid(sizes, _order(sizes, given))


def _dense(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether every place of a stretch of memory belongs to exactly one entry."""
    if len(strides) != len(sizes):
        return False
    step = 1
    for size, stride in sorted(zip(sizes, strides, strict=True), key=lambda pair: (pair[0] < 2, pair[1])):
        if size > 1 and stride != step:
            return False
        step *= size
    return True


def _order(sizes: Sequence[int], given: Sequence[Sequence[int]]) -> list[int]:
    """The axes from the innermost in memory to the outermost, as torch's iterator sorts them."""
    order = list(range(len(sizes)))[::-1]
    for i in range(1, len(order)):
        at = i
        for j in reversed(range(i)):
            verdict = _outer(sizes, given, order[j], order[at])
            if verdict > 0:
                order[j], order[at] = order[at], order[j]
                at = j
            elif verdict < 0:
                break
    return order


def _outer(sizes: Sequence[int], given: Sequence[Sequence[int]], a: int, b: int) -> int:
    """1 where axis `a` belongs outside of `b`, -1 where inside, 0 where no operand says."""
    for strides in given:
        if not strides[a] or not strides[b]:
            continue
        if strides[a] != strides[b]:
            return 1 if strides[a] > strides[b] else -1
        if sizes[a] > sizes[b]:
            return 1
    return 0


def _laid(sizes: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    strides = [0] * len(sizes)
    step = 1
    for axis in order:
        strides[axis] = step
        step *= max(sizes[axis], 1)
    return tuple(strides)


def elementwise(tensor: Tensor) -> Tensor:
    """The result of a function of each entry: the same axes, in the same order in memory."""
    strides = tensor.strides if tensor.strides == CONTIGUOUS else pointwise((tensor,), tensor.numbers)
    return tensor.typed(tensor.dtype, strides)
