"""Broadcasting: axes are aligned from the last, and one of size 1 takes the size of the other."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensors import ARRAY, GUESSED
from ..values import Tensor
from .refusal import Refusal, differ


def broadcast(left: Tensor, right: Tensor) -> Tensor:
    """The axes of the broadcast of two tensors; sizes that differ and are not 1 are refused."""
    long, short = (left, right) if left.rank >= right.rank else (right, left)
    lead = long.rank - short.rank
    axes = list(long.axes[:lead])
    refused: int | None = None
    for i, (a, b) in enumerate(zip(long.axes[lead:], short.axes, strict=True)):
        x, y = a.size, b.size
        if x == y:
            axes.append(a if any(word is not None for word in a.meaning) else b)
        elif x == 1:
            axes.append(b)
        elif y == 1:
            axes.append(a)
        else:
            if differ(x, y) and differ(x, 1) and differ(y, 1):
                refused = lead + i
            axes.append(a)
    if refused is not None:
        sizes = [each.sizes[refused - long.rank] for each in (left, right)]
        raise Refusal(
            "broadcast",
            f"The size of tensor a ({sizes[0]}) must match the size of tensor b ({sizes[1]}) "
            f"at non-singleton dimension {refused}",
            left,
            right,
        )
    traits = (left.traits & right.traits) | ((left.traits | right.traits) & {ARRAY, GUESSED})
    return Tensor(tuple(axes), None, traits)


def broadcast_all(tensors: Sequence[Tensor]) -> Tensor:
    """The axes of the broadcast of several tensors."""
    result = tensors[0]
    for each in tensors[1:]:
        result = broadcast(result, each)
    return result
