"""The words of axes and drawings, in English and Chinese. Chinese terms are those of torch's Chinese documentation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal

Lang = Literal["en", "zh"]

LANGS: tuple[Lang, ...] = ("en", "zh")

AXES = {
    "time": "时间步",
    "batch": "批",
    "layer": "层",
    "direction": "方向",
    "feature": "特征",
    "gate": "门",
    "unit": "隐藏单元",
    "head": "头",
}
"""The meanings of `fastlstm_lint.contract.Axis` in Chinese."""

LETTERS = {
    "en": {
        "T": "time steps",
        "B": "batch size",
        "I": "input_size",
        "H": "hidden_size",
        "P": "proj_size",
        "L": "num_layers",
        "D": "directions, 2 if bidirectional",
        "G": "gates: LSTM 4, GRU 3, RNN 1",
    },
    "zh": {
        "T": "序列长度（时间步数）",
        "B": "批大小（批量大小）",
        "I": "input_size，输入特征数",
        "H": "hidden_size，隐藏大小",
        "P": "proj_size，投影大小",
        "L": "num_layers，层数",
        "D": "方向数，双向时为 2",
        "G": "门的个数：LSTM 4，GRU 3，RNN 1",
    },
}
"""What the letters of a shape stand for."""

NAMES = {
    "input": "输入",
    "output": "输出",
    "h_0": "初始隐藏状态",
    "c_0": "初始细胞状态",
    "h_n": "最后的隐藏状态",
    "c_n": "最后的细胞状态",
}
"""The values of a layer's call in Chinese."""


def meaning(words: Iterable[str], lang: Lang) -> str:
    """The meaning of one axis; a merged one, slowest first, with a cross between."""
    return " x ".join(words) if lang == "en" else "×".join(AXES.get(word, word) for word in words)


def language(text: str) -> Lang:
    """The language a question is put in: Chinese where it has a Chinese character."""
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else "en"


def width(text: str) -> int:
    """Columns in a terminal: Chinese characters and punctuation take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def padded(text: str, columns: int) -> str:
    """`text` with blanks up to a number of columns."""
    return text + " " * (columns - width(text))
