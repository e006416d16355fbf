"""Answers about a topic: its text, and the shapes of the values that it is about, from the contract."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import Layer, Shape, letters, sizes
from .draw import bare, table
from .named import Named
from .topics import TOPICS, Topic
from .words import LETTERS, Lang, meaning

I, H, L = Named("I"), Named("H"), Named("L")

FORMS: dict[str, tuple[Layer, object, dict[Lang, str]]] = {
    "plain": (Layer("LSTM", I, H, L), "B", {"en": "by default", "zh": "默认"}),
    "batch_first": (Layer("LSTM", I, H, L, batch_first=True), "B", {"en": "batch_first", "zh": "batch_first"}),
    "both": (Layer("LSTM", I, H, L, bidirectional=True), "B", {"en": "bidirectional", "zh": "双向"}),
    "projected": (Layer("LSTM", I, H, L, proj_size=Named("P")), "B", {"en": "proj_size", "zh": "proj_size"}),
    "unbatched": (Layer("LSTM", I, H, L), None, {"en": "one sequence", "zh": "单个序列"}),
}
"""The forms of a layer whose shapes differ."""

EXAMPLE = Layer("LSTM", 5, 6, 2, batch_first=True, bidirectional=True)
"""The layer whose sizes stand beside the letters, on an input of 7 steps and 3 samples."""


def topics_of(question: str) -> list[Topic]:
    """What a question is about: the topic whose name it is, else the first two that its words belong to."""
    asked = question.strip().strip("?？。.").strip()
    named = [topic for topic in TOPICS if topic.name == asked.lower()]
    return named or [topic for topic in TOPICS if topic.asked.search(asked)][:2]


def tell(topics: list[Topic], lang: Lang) -> str:
    """What is known about these topics: the text of each, the shapes of the values, and the letters in them."""
    parts = []
    values: dict[str, None] = {}
    for topic in topics:
        parts.append(topic.about[lang])
        values |= dict.fromkeys(topic.values)
    for value in values:
        parts.append(f"{value}:\n\n{table(_forms(value, lang))}")
    if values:
        T, B = 7, 3
        given = {"en": "on an input of", "zh": "，输入"}[lang]
        shapes = [(value, bare(sizes(shape_of(value, EXAMPLE, T, B)))) for value in values]
        parts.append(f"{EXAMPLE.constructor()} {given} {bare(sizes(EXAMPLE.input(T, B)))}:\n\n{table(shapes)}")
        seen = "".join(row[1] for value in values for row in _forms(value, lang))
        parts.append(table(each for each in LETTERS[lang].items() if each[0] in seen))
    return "\n\n".join(parts)


def shape_of(value: str, layer: Layer, T: object, B: object) -> Shape:
    """The contract's shape of one value of a call: "input", "output", "h_0", "c_0", "h_n" or "c_n"."""
    if value == "input":
        return layer.input(T, B)
    return layer.output(T, B) if value == "output" else layer.state(value[0], B)


def _forms(value: str, lang: Lang) -> Iterator[tuple[str, ...]]:
    comma = {"en": ", ", "zh": "，"}[lang]
    for layer, B, label in FORMS.values():
        shape = shape_of(value, layer, "T", B)
        yield label[lang], letters(shape), comma.join(meaning(axis.meaning, lang) for axis in shape)
