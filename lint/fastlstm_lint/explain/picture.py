"""A layer's call as a picture: the axes of its values, the way through the layers, and what expressions pick.

Axes, sizes and places are read from `fastlstm_lint.contract` and `memory.py`; nothing is drawn by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..contract import Layer, Shape, letters, sizes
from .draw import bare, places
from .memory import Array, Entry, array_of, picks, verdict
from .svg import COLOURS, Drawing
from .words import Lang, meaning, width

MOST = 5
"""Entries of an axis that are drawn; larger ones are drawn as if they had so many, and the picture says so."""

CELL, TALL, GAP = 44.0, 24.0, 26.0
LEFT = 16.0

WIDEST = 640.0
"""Where the next value begins a new row."""

WORDS: dict[Lang, dict[str, str]] = {
    "en": {
        "axis": "axis {0}: {1} {2}",
        "drawn": "drawn as if {0}",
        "way": "Through the layers: time to the right, the top layer above",
        "picked": "What is picked, in memory order",
        "right": "each sample's last states, one row per sample",
        "samples": "mixes samples: a row holds more than one",
        "sample": "not one row per sample: the last sample at every step",
        "padding": "padding where a sequence is shorter",
        "backward": "the backward half has seen one element only",
        "half": "one direction alone",
        "packed": "Packed, longest first: all samples' step 0, then step 1 of those that have one",
        "sizes": "batch_sizes {0}",
        "nowhere": "not in output",
        "own": "each sample's own last step",
        "forward": "forward",
        "backwards": "backward",
        "layer": "layer {0}",
        "result": "gives",
        "legend": "t step, s sample, l layer, f forward, b backward; a colour is a sample",
    },
    "zh": {
        "axis": "第 {0} 轴：{1} {2}",
        "drawn": "按 {0} 画",
        "way": "经过各层：时间向右，最上层在上",
        "picked": "取到的是什么（按内存顺序）",
        "right": "每个样本最后的状态，每个样本一行",
        "samples": "样本混在一起：一行里不止一个样本",
        "sample": "不是每个样本一行：是最后一个样本的每一步",
        "padding": "较短的序列取到的是填充",
        "backward": "反向的一半只看过一个元素",
        "half": "只有一个方向",
        "packed": "打包后（长的在前）：先是所有样本的第 0 步，再是还有第 1 步的样本",
        "sizes": "batch_sizes {0}",
        "nowhere": "output 里没有",
        "own": "每个样本各自的最后一步",
        "forward": "正向",
        "backwards": "反向",
        "layer": "第 {0} 层",
        "result": "得到",
        "legend": "t 时间步，s 样本，l 层，f 正向，b 反向；一种颜色是一个样本",
    },
}


def picture(layer: Layer, T: int, B: int | None, lang: Lang = "en", lengths: Sequence[int] | None = None) -> str:
    """The picture of one call as SVG. `B` is None without a batch; `lengths` are those of a packed batch."""
    return _Picture(layer, T, B, lang, lengths).drawn()


class _Picture:
    def __init__(self, layer: Layer, T: int, B: int | None, lang: Lang, lengths: Sequence[int] | None) -> None:
        self.layer, self.T, self.B = layer, T, B
        self.lang, self.words = lang, WORDS[lang]
        self.small = replace(layer, num_layers=min(layer.num_layers, MOST - 1))
        self.t, self.b = min(T, MOST), None if B is None else min(B, MOST)
        samples = 1 if self.b is None else self.b
        self.lengths = [min(n, self.t) for n in lengths][:samples] if lengths else [self.t] * samples
        self.packed = lengths is not None
        self.page = Drawing(f"{layer.constructor()}, {bare(sizes(layer.input(T, B)))}")
        self.y = 0.0

    def drawn(self) -> str:
        self._say(f"{self.layer.constructor()}    input {bare(sizes(self.layer.input(self.T, self.B)))}", "head", 24)
        self._say(self.words["legend"], "small", 20)
        cut = [
            f"{letter} = {drawn}"
            for letter, whole, drawn in (
                ("T", self.T, self.t),
                ("B", self.B, self.b),
                ("L", self.layer.num_layers, self.small.num_layers),
            )
            if whole != drawn
        ]
        if cut:
            self._say(self.words["drawn"].format(", ".join(cut)), "small", 18)
        self._axes()
        if self.packed:
            self._packed()
        self._way()
        self._picks()
        return self.page.svg()

    def _say(self, text: str, kind: str, step: float, x: float = LEFT) -> None:
        self.y += step
        self.page.text(x, self.y, text, kind, wide=_wide(text, kind))

    # The axes of each value

    def _axes(self) -> None:
        self.y += 10
        x, lowest = LEFT, self.y
        states = self.layer.state_names
        values = [("input", self.layer.input(self.T, self.B), self.small.input(self.t, self.b))]
        values += [("output", self.layer.output(self.T, self.B), self.small.output(self.t, self.b))]
        values += [(f"{s}_n", self.layer.state(s, self.B), self.small.state(s, self.b)) for s in states]
        top = self.y
        for name, shape, small in values:
            wide, low = self._value(x, top, name, shape, small)
            lowest = max(lowest, low)
            x += wide + GAP
            if x > WIDEST:
                x, top = LEFT, lowest + 14
        self.y = lowest

    def _value(self, x: float, y: float, name: str, shape: Shape, small: Shape) -> tuple[float, float]:
        """One value as a grid: axis 0 downwards, axis 1 to the right. Gives its width and its lower end."""
        head = f"{name} {letters(shape)} = {bare(sizes(shape))}"
        self.page.text(x, y + 18, head, "code", _wide(head, "code"))
        lines = [self.words["axis"].format(k, meaning(axis.meaning, self.lang), f"{axis.letters}={axis.size}")
                 for k, axis in enumerate(shape)]  # fmt: skip
        for k, line in enumerate(lines):
            self.page.text(x, y + 36 + 16 * k, line, "small", _wide(line, "small"))
        wide = max([_wide(head, "code"), *(_wide(line, "small") for line in lines)])
        array = array_of(small)
        rows = array.rows()
        across = small[1].size if len(small) == 3 else 1
        top = y + 36 + 16 * len(lines)
        for r, row in enumerate(rows):
            each = len(row) // across
            for c in range(across):
                self._cell(x + c * CELL, top + r * TALL, row[c * each : (c + 1) * each], name)
        return max(wide, across * CELL), top + len(rows) * TALL

    def _cell(self, x: float, y: float, entries: Sequence[Entry], name: str, dim: bool = False) -> None:
        """The entries of one place: the halves of two directions beside each other."""
        part = CELL / len(entries)
        for k, entry in enumerate(entries):
            kind = f"s{entry.sample % COLOURS}" + " dim" * dim
            if entry.step is not None and entry.step >= self.lengths[entry.sample]:
                kind = "none"
            self.page.box(x + k * part, y, part, TALL, kind, self._label(entry, name, len(entries) > 1, kind == "none"))

    def _label(self, entry: Entry, name: str, halved: bool, padding: bool) -> str:
        if padding:
            return "" if halved else "pad"
        if halved:
            return "fb"[entry.direction]
        sample = "" if self.b is None else f"s{entry.sample}"
        side = "fb"[entry.direction] if self.layer.bidirectional and name != "input" else ""
        return f"l{entry.layer}{side}{sample}" if entry.step is None else f"t{entry.step}{side}{sample}"

    def _packed(self) -> None:
        self._say(self.words["packed"], "", 30)
        self.y += 8
        x = LEFT
        for step in range(self.t):
            for length, sample in sorted(zip(self.lengths, range(self.b or 1), strict=True), key=lambda each: -each[0]):
                if step < length:
                    self._cell(x, self.y, [Entry(sample, step)], "input")
                    x += CELL
            x += 6
        counts = [sum(length > step for length in self.lengths) for step in range(self.t)]
        self.y += TALL
        self._say(self.words["sizes"].format([count for count in counts if count]), "code", 18)

    # The way through the layers

    def _way(self) -> None:
        self._say(self.words["way"], "", 32)
        self.y += 12
        told = places(self.small, self.b is not None)
        state = self.layer.state_names[0]
        left, apart = LEFT + 118, 62.0
        for k in reversed(range(len(told))):
            level, direction = divmod(k, self.small.directions)
            label = self.words["layer"].format(level)
            if self.layer.bidirectional:
                label += " " + self.words["backwards" if direction else "forward"]
            self.page.text(LEFT, self.y + 17, label, "small", 100)
            for t in range(self.t):
                self.page.box(left + t * apart, self.y, 40, TALL, "node", "")
                self.page.text(left + t * apart + 12, self.y + 16, f"t{t}", "code", 20)
                if t + 1 < self.t:
                    ends = (left + t * apart + 41, left + (t + 1) * apart - 1)
                    x1, x2 = reversed(ends) if direction else ends
                    self.page.arrow(x1, self.y + TALL / 2, x2, self.y + TALL / 2)
            end = left + self.t * apart
            where = f"= {told[k]}" if told[k] else f"({self.words['nowhere']})"
            at = "t0" if direction else f"t{self.t - 1}"
            if self.packed and not direction:
                at, where = self.words["own"], "" if told[k] else where
            text = f"{state}_n[{k}]  {at}  {where}".rstrip()
            self.page.text(end, self.y + 17, text, "code", _wide(text, "code"))
            self.y += TALL + 12

    # What expressions pick

    def _picks(self) -> None:
        self._say(self.words["picked"], "", 24)
        for pick in picks(self.small, self.t, self.b):
            found = verdict(pick, self.t, self.lengths)
            self._say(pick.expression, "code", 30)
            told = self.words[found]
            kind = {"right": "good", "half": "small"}.get(found, "bad")
            self.page.text(LEFT + _wide(pick.expression, "code") + 14, self.y, told, kind, _wide(told, ""))
            self.y += 8
            self._strip(pick.array, {entry for row in pick.rows for entry in row}, pick.value)
            self.y += TALL + 6
            self.page.text(LEFT, self.y + 16, self.words["result"], "small", 40)
            for row in pick.rows:
                for k, entry in enumerate(row):
                    self._cell(LEFT + 48 + k * CELL, self.y, [entry], pick.value)
                self.y += TALL

    def _strip(self, array: Array, chosen: set[Entry], value: str) -> None:
        """A value as it lies in memory, what is not picked faint; a gap after each index of axis 0."""
        x = LEFT
        for row in array.rows():
            for entry in row:
                self._cell(x, self.y, [entry], value, entry not in chosen)
                x += CELL * 0.98
            x += 6


def _wide(text: str, kind: str) -> float:
    """About how many pixels a line takes."""
    return width(text) * {"code": 7.6, "head": 9.0, "small": 6.2}.get(kind, 7.0)
