"""A tensor's axes as a picture, as `explain` draws those of a layer's values: axis 0 downwards, axis 1 to the right."""

from __future__ import annotations

from collections.abc import Iterator

from ..explain.drawing import draw
from ..explain.parse import LayerSyntaxError
from ..explain.svg import COLOURS, Drawing
from ..explain.words import Lang, meaning, width
from ..shapes.words import UNKNOWN, AxisWords, ShapeWords, TupleWords, Words

MOST, USUAL = 5, 3
"""Entries of an axis that are drawn: of a number, and of a size that has only a name."""

CELL, TALL, LEFT = 40.0, 22.0, 12.0

LENGTHS = "4,2,1"
"""Of the packed batch that is drawn."""

LETTERS = {"time": "t", "batch": "s", "layer": "l", "direction": "d"}
"""What stands in a cell: t1s0 is step 1 of sample 0."""

WORDS: dict[Lang, dict[str, str]] = {
    "en": {
        "axis": "axis {0}: {1}, size {2}",
        "unknown": "unknown",
        "down": " (down)",
        "right": " (to the right)",
        "inside": " (inside each cell)",
        "number": "one number",
        "colour": "a colour is a sample",
        "packed": "packed; drawn as it is padded, batch first",
        "item": "item {0}",
    },
    "zh": {
        "axis": "第 {0} 轴：{1}，大小 {2}",
        "unknown": "未知",
        "down": "（向下）",
        "right": "（向右）",
        "inside": "（在每格之内）",
        "number": "一个数",
        "colour": "一种颜色是一个样本",
        "packed": "已打包；按填充后、批在前的样子画",
        "item": "第 {0} 项",
    },
}


def layer_picture(told: str, lang: Lang, packed: bool = False) -> str | None:
    """The picture of one call of a layer, on a packed batch or not, from its constructor in words; None for what is no
    layer."""
    try:
        return draw(told, lang, None, LENGTHS if packed else None)
    except LayerSyntaxError:
        return None


def axes_picture(words: Words, lang: Lang) -> str:
    """The axes of a tensor, a packed sequence or a tuple of them, as SVG."""
    page = Drawing(str(words))
    _draw(page, words, 0.0, lang)
    return page.svg(margin=LEFT)


def _draw(page: Drawing, words: Words, y: float, lang: Lang) -> float:
    """Draw from a height downwards; gives where it ends."""
    if isinstance(words, TupleWords):
        for number, item in enumerate(words.items):
            y = _say(page, y + 4, WORDS[lang]["item"].format(number), "code")
            y = _draw(page, item, y, lang)
        return y
    for line in _lines(words, lang):
        y = _say(page, y, line, "")
    return _grid(page, words, y + 8, lang)


def _lines(words: ShapeWords, lang: Lang) -> Iterator[str]:
    said = WORDS[lang]
    if words.packed:
        yield said["packed"]
    if not words.axes:
        yield said["number"]
    for number, axis in enumerate(words.axes):
        name = meaning(axis.meaning.split("*"), lang) if axis.meaning != UNKNOWN else said["unknown"]
        way = "right" if len(words.axes) == 1 else ("down", "right", "inside")[min(number, 2)]
        yield said["axis"].format(number, name, axis.size) + said[way]


def _grid(page: Drawing, words: ShapeWords, y: float, lang: Lang) -> float:
    axes = words.axes
    down = axes[0] if len(axes) > 1 else None
    right = axes[1] if len(axes) > 1 else axes[0] if axes else None
    rows, columns = _drawn(down), _drawn(right)
    for r in range(rows):
        for c in range(columns):
            at = {id(down): r, id(right): c}
            sample = next(
                (at[id(axis)] for axis in (down, right) if axis is not None and axis.meaning == "batch"), None
            )
            kind = "node" if sample is None else f"s{sample % COLOURS}"
            label = "".join(
                f"{LETTERS[axis.meaning]}{at[id(axis)]}"
                for axis in (down, right)
                if axis is not None and axis.meaning in LETTERS
            )
            page.box(LEFT + c * CELL, y + r * TALL, CELL, TALL, kind, label)
    y += rows * TALL
    if any(axis is not None and axis.meaning == "batch" for axis in (down, right)):
        y = _say(page, y, WORDS[lang]["colour"], "small")
    return y + 6


def _drawn(axis: AxisWords | None) -> int:
    """How many entries of an axis are drawn."""
    if axis is None:
        return 1
    return min(int(axis.size), MOST) if axis.size.isdecimal() else USUAL


def _say(page: Drawing, y: float, text: str, kind: str) -> float:
    page.text(LEFT, y + 17, text, kind, wide=width(text) * {"small": 6.2, "code": 7.6}.get(kind, 7.0))
    return y + 19
