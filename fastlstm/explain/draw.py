"""Tables and drawings of one layer's shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from fastlstm.contract import FEATURE, Axis, Cell, Layer, Shape, letters, sizes
from fastlstm.spec import Stack

Row = tuple[str, ...]


def explain(config: Layer | Cell, T: int | None = None, B: int | None = None, *, batched: bool = True) -> str:
    """Shapes, parameters and, for a layer, where h_n sits in output. Sizes left out are shown as their letters."""
    time = "T" if T is None else T
    batch = ("B" if B is None else B) if batched else None
    parts = [_title(config), _table(_values(config, time, batch)), _table(_parameters(config))]
    if isinstance(config, Layer):
        parts += [
            f"Where {config.state_names[0]}_n sits in output:",
            _table(_where(config, batched)),
            *_notes(config, batched),
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
        width = layer.output_size
        index += [":"] * batched + [f"{width}:" if direction else f":{width}"]
    if batched and layer.batch_first:
        index[:2] = [":", index[0]]
    return f"output[{', '.join(index)}]"


def _title(config: Layer | Cell) -> str:
    options = [f"{config.input_size}, {config.hidden_size}"]
    if isinstance(config, Stack):
        options = [config.cell.name, *options]
    if isinstance(config, Layer):
        options += [f"num_layers={config.num_layers}"] if config.num_layers != 1 else []
        options += [f"{flag}=True" for flag in ("batch_first", "bidirectional") if getattr(config, flag)]
        options += [f"proj_size={config.proj_size}"] if config.proj_size else []
        options += [f"num_heads={config.num_heads}"] if isinstance(config, Stack) and config.num_heads != 1 else []
    options += [] if config.bias else ["bias=False"]
    count = sum(prod(sizes(shape)) for shape in config.parameters().values())
    name = config.kind if isinstance(config, Layer) else f"{config.kind}Cell"
    name = "Recurrent" if isinstance(config, Stack) else name
    return f"{name}({', '.join(options)}): {count:,} parameters"


def _values(config: Layer | Cell, T: object, B: object) -> Iterator[Row]:
    def row(name: str, shape: Shape) -> Row:
        return name, letters(shape), _tuple(sizes(shape)), ", ".join(" x ".join(axis.meaning) for axis in shape)

    if isinstance(config, Cell):
        yield row("input", config.input(B))
        for name in config.state_names:
            yield row(f"{name}, {name}'", config.state(name, B))
        return
    yield row("input", config.input(T, B))
    yield from (row(f"{name}_0", shape) for name, shape in config.states(B).items())
    if isinstance(config, Stack):
        for name in config.cell.step:
            lead = config.input(T, B)[:-1]
            yield row(f"step {name}", (*lead, Axis(config.hidden_size, "H", (FEATURE,))))
    yield row("output", config.output(T, B))
    yield from (row(f"{name}_n", shape) for name, shape in config.states(B).items())


def _parameters(config: Layer | Cell) -> Iterator[Row]:
    gates = f"rows: {' '.join(config.gates)}, {config.hidden_size} each" if len(config.gates) > 1 else ""
    for name, shape in config.parameters().items():
        rows = {axis.meaning[0] for axis in shape}
        stacked = gates if "gate" in rows else "one for each unit" if rows == {"unit"} else "projects h"
        yield name, letters(shape), _tuple(sizes(shape)), f"{prod(sizes(shape)):,}", stacked


def _where(layer: Layer, batched: bool) -> Iterator[Row]:
    """The stack as it is usually drawn: last layer on top, time to the right."""
    state = layer.state_names[0]
    for k, place in reversed(list(enumerate(places(layer, batched)))):
        level, direction = divmod(k, layer.directions)
        where = place or "in no slice of output"
        label = f"layer {level}" + (("", " backward")[direction] if layer.bidirectional else "")
        if layer.bidirectional and not direction:
            label += " forward"
        if direction:
            yield label, f"{state}_n[{k}] <-- ... <-- step T-1", where
        else:
            yield label, f"step 0 --> ... --> {state}_n[{k}]", where


def _notes(layer: Layer, batched: bool) -> Iterator[str]:
    if layer.batch_first and batched:
        yield (
            "batch_first turns input and output only: states stay (L*D, B, ...), and output[-1] is the last sample,\n"
            "not the last step."
        )
    elif batched:
        yield "Axis 0 of the input is time, axis 1 the batch; batch_first=True exchanges them."
    if layer.bidirectional:
        yield (
            "The backward half of the last step has seen one element only: for a summary of the sequence take "
            f"{layer.state_names[0]}_n,\nnot {'output[:, -1]' if layer.batch_first and batched else 'output[-1]'}."
        )


def _tuple(shape: Iterable[object]) -> str:
    inner = [str(size) for size in shape]
    return f"({inner[0]},)" if len(inner) == 1 else f"({', '.join(inner)})"


def _table(rows: Iterable[Row]) -> str:
    """Columns padded to their widest entry, two spaces in and two between."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
