"""What `explain` and `info --plan` read of `Recurrent(sLSTM, 5, 6)`: layers of the cells of `fastlstm.cells`."""

from __future__ import annotations

from typing import Any

from fastlstm import cells
from fastlstm.spec import Stack
from fastlstm.spec.checked import stack


def layers(arguments: dict[str, Any]) -> Stack:
    """Layers from the arguments as written, `cell` by its name; ValueError or TypeError for wrong ones.

    Cells of a program's own are not looked for, since nothing is run.
    """
    cell = arguments.pop("cell")
    if not isinstance(cell, str) or cell not in cells.SHELF:
        raise ValueError(f"{cell!r} is no cell of fastlstm.cells, which has {', '.join(cells.SHELF)}")
    return stack(getattr(cells, cell), **arguments)
