"""Code that a wheel brings along: `python -m fastlstm.engine.prebuilt FOLDER` compiles it, for what NUMBA_CPU_NAME and
NUMBA_CPU_FEATURES say, and loads none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fastlstm.cells import CELLS
from fastlstm.compiled import file
from fastlstm.compiled.made import SHIPPED, Unit, content, made
from fastlstm.engine.compiling import compile_units

DTYPES = ("float32", "float64")
_OF_ALL_CELLS = ("inference", "training", "forward_samples", "training_samples", "products")
_OF_A_CELL = ("advance", "retreat", "step_few", "step_samples", "step_back")


def units() -> Iterator[Unit]:
    """Everything that LSTM, GRU, RNN and their cells call, on arrays and through torch."""
    yield Unit("calls")
    for dtype in DTYPES:
        yield from (Unit(name, dtype) for name in _OF_ALL_CELLS)
        yield from (Unit(name, dtype, cell) for cell in CELLS for name in _OF_A_CELL)
    narrow = ("multiply_halves", "multiply_words", "multiply_bytes", "multiply_bytes_twice")
    yield from (Unit(name, "float32") for name in narrow)
    yield from (Unit("advance_coarse", "float32", cell) for cell in CELLS)


def fill(folder: Path) -> int:
    """Compile all units into the folder; how many bytes they take."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHIPPED).write_text(content(), encoding="utf-8")
    size = 0
    for unit, code in zip(units(), compile_units(list(units())), strict=True):
        wanted = made(unit)
        path = folder / wanted.file_name(shipped=True)
        file.write(path, code, wanted, shared=True)
        size += path.stat().st_size
    return size


if __name__ == "__main__":
    print(f"{fill(Path(sys.argv[1])) >> 10} KB in {sys.argv[1]}")
