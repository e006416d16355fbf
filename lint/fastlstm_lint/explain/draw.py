"""Tables and drawings of one layer's shapes, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from ..contract import Cell, Layer, Shape, letters, rounded, sizes
from .words import Lang, meaning, padded, width

Row = tuple[str, ...]

WORDS = {
    "en": {
        "parameters": "{count:,} parameters",
        "sits": "Where {state}_n sits in output:",
        "nowhere": "in no slice of output",
        "layer": "layer {0}",
        "forward": " forward",
        "backward": " backward",
        "step": "step",
        "rows": "rows: {gates}, {each} each",
        "each": "one for each unit",
        "projects": "projects h",
        "scale": "what each row is multiplied by",
        "batch_first": "batch_first turns input and output only: states stay (L*D, B, ...), and output[-1] is the last "
        "sample,\nnot the last step.",
        "time_first": "Axis 0 of the input is time, axis 1 the batch; batch_first=True exchanges them.",
        "backward_half": "The backward half of the last step has seen one element only: for a summary of the sequence "
        "take {state}_n,\nnot {last}.",
    },
    "zh": {
        "parameters": "{count:,} 个参数",
        "sits": "{state}_n 在 output 的什么位置：",
        "nowhere": "output 里没有",
        "layer": "第 {0} 层",
        "forward": " 正向",
        "backward": " 反向",
        "step": "步",
        "rows": "行：{gates}，各 {each}",
        "each": "每个隐藏单元一个",
        "projects": "投影 h",
        "scale": "每一行乘以它",
        "batch_first": "batch_first 只改变输入和输出：状态仍是 (L*D, B, ...)，output[-1] 是最后一个样本，\n"
        "不是最后一个时间步。",
        "time_first": "输入的第 0 轴是时间步，第 1 轴是批；batch_first=True 把两者对调。",
        "backward_half": "最后一个时间步的反向那一半只看过一个元素：要概括整个序列，取 {state}_n，\n不要取 {last}。",
    },
}
"""What stands in the tables beside names, letters and numbers."""


def explain(
    config: Layer | Cell,
    T: int | None = None,
    B: int | None = None,
    *,
    batched: bool = True,
    lang: Lang = "en",
    weights: str | None = None,
) -> str:
    """Shapes, parameters and, for a layer, where h_n sits in output. Sizes left out are shown as their letters.

    weights: "int8" or "float16" where the layer is quantized.
    """
    time = "T" if T is None else T
    batch = ("B" if B is None else B) if batched else None
    words = WORDS[lang]
    parameters = table(_parameters(config, lang) if weights is None else _rounded(config, lang, weights))
    parts = [_title(config, lang, weights), table(_values(config, time, batch, lang)), parameters]
    if isinstance(config, Layer):
        parts += [
            words["sits"].format(state=config.state_names[0]),
            table(_where(config, batched, lang)),
            *_notes(config, batched, lang),
        ]
    return "\n\n".join(parts)


def places(layer: Layer, batched: bool = True) -> list[str | None]:
    """For each entry k of h_n the expression on `output` that equals `h_n[k]`, None where output does not show it."""
    last = range((layer.num_layers - 1) * layer.directions, layer.num_layers * layer.directions)
    return [_place(layer, k - last.start, batched) if k in last else None for k in range(last.stop)]


def _place(layer: Layer, direction: int, batched: bool) -> str:
    # The forward direction ends at the last step, the backward direction at the first.
    index = ["0" if direction else "-1"]
    if layer.bidirectional:
        features = layer.output_size
        index += [":"] * batched + [f"{features}:" if direction else f":{features}"]
    if batched and layer.batch_first:
        index[:2] = [":", index[0]]
    return f"output[{', '.join(index)}]"


def _title(config: Layer | Cell, lang: Lang, weights: str | None) -> str:
    counts = [_count(shape) for shape in config.parameters().values()]
    name = config.constructor() if weights is None else f"quantize({config.constructor()}, weights={weights!r})"
    if None in counts:  # some size is a name
        return name
    return f"{name}: {WORDS[lang]['parameters'].format(count=sum(filter(None, counts)))}"


def _count(shape: Shape) -> int | None:
    numbers = sizes(shape)
    return prod(numbers) if all(isinstance(size, int) for size in numbers) else None


def _values(config: Layer | Cell, T: object, B: object, lang: Lang) -> Iterator[Row]:
    def row(name: str, shape: Shape) -> Row:
        comma = ", " if lang == "en" else "，"
        return name, letters(shape), bare(sizes(shape)), comma.join(meaning(axis.meaning, lang) for axis in shape)

    if isinstance(config, Cell):
        yield row("input", config.input(B))
        for name in config.state_names:
            yield row(f"{name}, {name}'", config.state(name, B))
        return
    yield row("input", config.input(T, B))
    yield from (row(f"{name}_0", shape) for name, shape in config.states(B).items())
    yield from (row(f"step {name}", shape) for name, shape in config.step_inputs(T, B).items())
    yield row("output", config.output(T, B))
    yield from (row(f"{name}_n", shape) for name, shape in config.states(B).items())


def _parameters(config: Layer | Cell, lang: Lang) -> Iterator[Row]:
    words = WORDS[lang]
    gates = words["rows"].format(gates=" ".join(config.gates), each=config.hidden_size) if len(config.gates) > 1 else ""
    for name, shape in config.parameters().items():
        rows = {axis.meaning[0] for axis in shape}
        stacked = gates if "gate" in rows else words["each"] if rows == {"unit"} else words["projects"]
        count = _count(shape)
        yield name, letters(shape), bare(sizes(shape)), "" if count is None else f"{count:,}", stacked


def _rounded(config: Layer | Cell, lang: Lang, weights: str) -> Iterator[Row]:
    """The same of a quantized layer, with dtypes; below a matrix of integers its scales."""
    for name, *columns in _parameters(config, lang):
        dtype = rounded(name, weights)
        yield name, *columns[:2], dtype, *columns[2:]
        if dtype.startswith("int"):
            rows = next(iter(config.parameters()[name]))
            yield f"{name}_scale", letters((rows,)), bare(sizes((rows,))), "float32", "", WORDS[lang]["scale"]


def _where(layer: Layer, batched: bool, lang: Lang) -> Iterator[Row]:
    """The stack as it is usually drawn: last layer on top, time to the right."""
    state, words = layer.state_names[0], WORDS[lang]
    for k, place in reversed(list(enumerate(places(layer, batched)))):
        level, direction = divmod(k, layer.directions)
        label = words["layer"].format(level)
        if layer.bidirectional:
            label += words["backward" if direction else "forward"]
        way = (
            f"{state}_n[{k}] <-- ... <-- {words['step']} T-1"
            if direction
            else f"{words['step']} 0 --> ... --> {state}_n[{k}]"
        )
        yield label, way, place or words["nowhere"]


def _notes(layer: Layer, batched: bool, lang: Lang) -> Iterator[str]:
    words = WORDS[lang]
    if layer.batch_first and batched:
        yield words["batch_first"]
    elif batched:
        yield words["time_first"]
    if layer.bidirectional:
        last = "output[:, -1]" if layer.batch_first and batched else "output[-1]"
        yield words["backward_half"].format(state=layer.state_names[0], last=last)


def bare(shape: Iterable[object]) -> str:
    """Sizes as Python prints a tuple of them, names without quotes."""
    inner = [str(size) for size in shape]
    return f"({inner[0]},)" if len(inner) == 1 else f"({', '.join(inner)})"


def table(rows: Iterable[Row]) -> str:
    """Columns padded to their widest entry, two spaces in and two between."""
    lines = list(rows)
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  " + "  ".join(padded(cell, columns) for cell, columns in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
