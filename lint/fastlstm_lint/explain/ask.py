"""One question, one answer: a constructor, a value or option by name, a rule, a message of torch, a shape."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace

from ..contract import Cell, Layer
from ..rules import rule_codes, rule_names
from .draw import bare, explain
from .named import Named
from .parse import CALLED, PARAMETERS, LayerSyntaxError, Own, Read, read
from .reasons import explain_code, understand
from .shape_text import parse_input, read_shape
from .told import tell, topics_of
from .topics import TOPICS
from .words import Lang

KIND = re.compile(r"(?:torch\.)?(?:nn\.)?(LSTM|GRU|RNN)(Cell)?(?:\(\))?", re.IGNORECASE)
"""A layer or cell by its name alone."""

BARE = re.compile(r"(?:torch\.)?(?:nn\.)?(LSTM|GRU|RNN)(Cell)?((?:\s+\d+){2,3})", re.IGNORECASE)
"""A constructor's arguments without brackets: `LSTM 5 6 2`."""

CALL = re.compile(r"[\w.]+\s*\(.*\)", re.DOTALL)
"""A call of something, to be refused as a constructor."""

LONGEST = 100_000
"""Characters of a question: a traceback has some thousand."""


class UnknownQuestion(ValueError):
    """Nothing is known about what was asked; the message says what comes near and what can be asked."""


def answer(question: str, lang: Lang, shape: str | None = None, own: Own | None = None) -> str:
    """What `fastlstm explain QUESTION` prints; `shape` is the shape of the input to a layer, `own` what `read` takes.

    LayerSyntaxError for a constructor that cannot be explained, UnknownQuestion for what is nothing known.
    """
    question = question.strip()[:LONGEST]
    layer = question if shape is not None or CALLED.search(question) else None
    told = None if shape is not None else explain_code(question) or _of_message(question, lang)
    if told is not None:
        return told
    spelled = BARE.fullmatch(question)
    if spelled:
        layer = f"{spelled[1].upper()}{'Cell' * bool(spelled[2])}({', '.join(spelled[3].split())})"
    if layer is not None:
        return of_layer(*layer_of(layer, shape, own), lang)
    kind = KIND.fullmatch(question)
    if kind is not None:
        name = kind[1].upper()
        config = (Cell if kind[2] else Layer)(name, Named("input_size"), Named("hidden_size"))
        return explain(config, lang=lang)
    numbers = read_shape(question)
    if numbers is not None:
        return "\n".join(_of_shape(numbers, lang))
    topics = topics_of(question)
    if topics:
        return tell(topics, lang)
    if CALL.fullmatch(question):
        return of_layer(*layer_of(question, shape, own), lang)
    raise UnknownQuestion(_unknown(question, lang))


def layer_of(text: str, shape: str | None, own: Own | None = None) -> tuple[Read, int | None, int | None, bool]:
    """A constructor call as read, T and B of its input, and whether there is a batch axis."""
    found = read(text, own)
    if shape is None:
        return found, None, None, True
    T, B = parse_input(shape, found.config)
    if isinstance(found.config.input_size, Named):
        numbers = read_shape(shape)
        assert numbers is not None
        found = replace(found, config=replace(found.config, input_size=numbers[-1]))
    return found, T, B, B is not None


def of_layer(found: Read, T: int | None, B: int | None, batched: bool, lang: Lang) -> str:
    """Every shape of a layer, and what had to be supposed."""
    told = explain(found.config, T, B, batched=batched, lang=lang, weights=found.weights)
    for name, value in found.supposed:
        told += {
            "en": f"\n\n{name} is not a number here: shown with {value} layers.",
            "zh": f"\n\n这里的 {name} 不是数字：按 {value} 层显示。",
        }[lang]
    return told


def _of_message(text: str, lang: Lang) -> str | None:
    told = understand(text, lang)
    return None if told is None else "\n".join(told.lines(lang))


def _of_shape(shape: tuple[int, ...], lang: Lang) -> Iterator[str]:
    """What a bare shape may be."""
    said = {
        "en": (
            "{shape} alone does not say which axis is which. As the input or output of a recurrent layer:",
            "  T={0}, B={1} by default; B={0}, T={1} with batch_first=True; {2} features",
            "As a state (h_0, c_0, h_n, c_n): layers * directions={0}, B={1}, hidden_size={2}, always.",
            "  one sequence without a batch: T={0}, {1} features; its state: layers * directions={0}, hidden_size={1}",
            "A recurrent layer takes three axes, or two without a batch; this one has {n}.",
            "Name the layer: fastlstm explain 'LSTM({i}, 6)' --input {commas}",
        ),
        "zh": (
            "只看 {shape} 不知道哪个轴是什么。作为循环层的输入或输出：",
            "  默认 T={0}、B={1}；batch_first=True 时 B={0}、T={1}；{2} 个特征",
            "作为状态（h_0、c_0、h_n、c_n）：层数*方向数={0}、B={1}、hidden_size={2}，总是如此。",
            "  没有批的单个序列：T={0}、{1} 个特征；它的状态：层数*方向数={0}、hidden_size={1}",
            "循环层的输入有三个轴，没有批时两个；这个有 {n} 个。",
            "写出层：fastlstm explain 'LSTM({i}, 6)' --input {commas}",
        ),
    }[lang]
    if len(shape) in (2, 3):
        yield said[0].format(shape=bare(shape))
        yield said[1 if len(shape) == 3 else 3].format(*shape)
        if len(shape) == 3:
            yield said[2].format(*shape)
        yield said[5].format(i=shape[-1], commas=",".join(map(str, shape)))
    else:
        yield said[4].format(n=len(shape))


def _unknown(question: str, lang: Lang) -> str:
    asked = question if len(question) <= 60 else question[:57] + "..."
    names = [*(topic.name for topic in TOPICS), *PARAMETERS, *rule_codes(), *rule_names()]
    near = difflib.get_close_matches(question, names, n=3, cutoff=0.6)
    lower = {name.lower(): name for name in names}
    near = near or [lower[name] for name in difflib.get_close_matches(question.lower(), list(lower), n=3, cutoff=0.6)]
    meant = {"en": f" Did you mean {', '.join(near)}?", "zh": f"是不是 {'、'.join(near)}？"}[lang] if near else ""
    can = {
        "en": "Ask for a value or option (h_n, c_n, h_0, output, batch_first, packed, weights), a layer as in code "
        "('nn.LSTM(5, 6, num_layers=2)' --input 1,3,5), a rule (FL205 or its name), a shape ('(3, 4, 5)'), or paste an "
        "error message of torch in quotes.",
        "zh": "可以问：值或选项（h_n、c_n、h_0、output、batch_first、packed、weights），代码里的层"
        "（'nn.LSTM(5, 6, num_layers=2)' --input 1,3,5），规则（FL205 或它的名字），形状（'(3, 4, 5)'），"
        "或者把 torch 的报错放在引号里贴进来。",
    }[lang]
    nothing = {"en": f"nothing is known about {asked!r}.", "zh": f"不知道 {asked!r}。"}[lang]
    return f"{nothing}{meant}\n{can}"


__all__ = ["LayerSyntaxError", "UnknownQuestion", "answer", "layer_of", "of_layer"]
