"""The picture that `fastlstm explain LAYER --svg FILE` writes, and those of the pages in docs.

`python -m fastlstm_lint.explain.drawing docs/pictures` writes the pages' own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..contract import Cell
from .ask import layer_of
from .parse import LayerSyntaxError, Own
from .picture import picture
from .shape_text import read_shape
from .words import LANGS, Lang

STEPS, SAMPLES = 4, 3
"""What is drawn where no input is given."""

GALLERY = {
    "one-layer": ("LSTM(5, 6)", "4,3,5", None),
    "two-layers": ("LSTM(5, 6, 2)", "4,3,5", None),
    "p1": ("LSTM(5, 6, 2)", "1,3,5", None),
    "batch-first": ("LSTM(5, 6, 2, batch_first=True)", "3,4,5", None),
    "bidirectional": ("LSTM(5, 6, 2, bidirectional=True)", "4,3,5", None),
    "gru": ("GRU(5, 6, 2, batch_first=True)", "3,4,5", None),
    "rnn": ("RNN(5, 6)", "4,5", None),
    "packed": ("LSTM(5, 6, batch_first=True)", "3,4,5", "4,2,1"),
}
"""The pages' pictures: the layer, its input, and the lengths of a packed batch."""


def draw(text: str, lang: Lang, shape: str | None, lengths: str | None = None, own: Own | None = None) -> str:
    """The picture of a constructor call as SVG text; LayerSyntaxError for what cannot be drawn."""
    found, T, B, _ = layer_of(text, shape, own)
    if isinstance(found.config, Cell):
        raise LayerSyntaxError("a picture is of a layer; a cell is one step of it")
    T, B = (STEPS, SAMPLES) if shape is None else (T or 0, B)
    if T < 1 or (B is not None and B < 1):
        raise LayerSyntaxError("nothing to draw: the input has no steps or no samples")
    return picture(found.config, T, B, lang, None if lengths is None else _lengths(lengths, T, B))


def _lengths(text: str, T: int, B: int | None) -> tuple[int, ...]:
    numbers = read_shape(text)
    if numbers is None or B is None or len(numbers) != B or not all(1 <= n <= T for n in numbers):
        raise LayerSyntaxError(f"--lengths wants one length for each of {B or 'no'} samples, from 1 to {T}")
    return numbers


def gallery() -> dict[str, str]:
    """Every picture of the pages, by its file's name."""
    return {
        f"{name}.{lang}.svg": draw(layer, lang, shape, lengths)
        for name, (layer, shape, lengths) in GALLERY.items()
        for lang in LANGS
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in gallery().items():
        (folder / name).write_text(text, encoding="utf-8")
