"""A shape as people write it: `1,3,5`, `3x4x5`, `(3, 4, 5)`, `torch.Size([3, 4, 5])`."""

from __future__ import annotations

import re

from ..contract import Cell, Layer
from .named import Named
from .parse import LayerSyntaxError

WRITTEN = re.compile(
    r"""(?:\w{1,40}(?:\.shape|\.size\(\))?\s*[:=]\s*)?  (?:(?:torch\.)?Size\s*)?
        [\[(]*\s*(-?\d+(?:\s*(?:,|x|X|\*|×|\s|，)\s*-?\d+)*)\s*,?\s*[\])]*""",
    re.VERBOSE,
)
"""Numbers in whatever brackets and with whatever stands between, and a torch.Size or a name before them."""


def read_shape(text: str) -> tuple[int, ...] | None:
    """The numbers of a written shape, or None where the text is none. A number of more than 100 digits is no size."""
    match = WRITTEN.fullmatch(text.strip())
    if match is None:
        return None
    numbers = re.findall(r"-?\d+", match[1])
    return None if any(len(number) > 100 for number in numbers) else tuple(map(int, numbers))


def parse_input(text: str, config: Layer | Cell) -> tuple[int | None, int | None]:
    """(T, B) of an input shape. T is None for a cell, B is None without a batch axis."""
    shape = read_shape(text)
    if shape is None:
        raise LayerSyntaxError(
            f"an input shape is whole numbers with commas, such as 1,3,5 or 1x3x5 or "
            f"torch.Size([1, 3, 5]); got {text!r}"
        )
    if any(size < 0 for size in shape):
        raise LayerSyntaxError(f"a size is negative in {text!r}")
    most = 2 if isinstance(config, Cell) else 3
    if len(shape) not in (most, most - 1):
        raise LayerSyntaxError(
            f"a {'cell' if most == 2 else 'layer'} takes {most} axes, or {most - 1} without a batch; got {len(shape)}"
        )
    if not isinstance(config.input_size, Named) and shape[-1] != config.input_size:
        raise LayerSyntaxError(
            f"the last axis is the feature axis: it must be input_size={config.input_size}, got {shape[-1]}"
        )
    rest = list(shape[:-1])
    if isinstance(config, Cell):
        return None, rest[0] if rest else None
    if len(rest) == 1:
        return rest[0], None
    T, B = reversed(rest) if config.batch_first else rest
    return T, B
