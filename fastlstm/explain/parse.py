"""A constructor call written as text, such as `nn.LSTM(5, 6, num_layers=2)`, read without running anything."""

from __future__ import annotations

import ast
from typing import Any

from fastlstm import cells
from fastlstm.contract import Cell, Layer
from fastlstm.spec.checked import stack

# Positional order of torch's constructors.
_LAYER = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")
_RNN = ("input_size", "hidden_size", "num_layers", "nonlinearity", "bias", "batch_first", "dropout", "bidirectional")
_CELL = ("input_size", "hidden_size", "bias")
PARAMETERS = {
    "LSTM": _LAYER,
    "GRU": _LAYER[:-1],
    "RNN": _RNN,
    "LSTMCell": _CELL,
    "GRUCell": _CELL,
    "RNNCell": (*_CELL, "nonlinearity"),
    "Recurrent": ("cell", *_LAYER[:-1]),
}
ANYWHERE = {"device", "dtype", "seed"}
"""Keywords that every constructor takes, torch's or ours, and that change no shape."""

KEYWORDS = {"Recurrent": {"num_heads", "unit"}}
"""What some constructors take by name only."""

SHAPELESS = ANYWHERE | {"dropout", "unit"}
"""Options whose values are not even read."""

MOST_LAYERS = 1000


class LayerSyntaxError(ValueError):
    """The text is not a constructor call this library can explain; the message says what is wrong with it."""


def parse(text: str) -> Layer | Cell:
    """The configuration that a constructor call names. Arguments must be literals: nothing is evaluated."""
    name, given = _call(text)
    known = [*PARAMETERS[name], *sorted(KEYWORDS.get(name, ()))]
    unknown = [key for key in given if key not in known and key not in ANYWHERE]
    if unknown:
        raise LayerSyntaxError(f"{name} has no option {unknown[0]!r}; it takes {', '.join(known)}")
    for required in ("input_size", "hidden_size"):
        if required not in given:
            raise LayerSyntaxError(f"{name} needs {required}: for example {name}(5, 6)")
    options = {key: value for key, value in given.items() if key not in SHAPELESS}
    if name == "Recurrent":
        return _own(options)
    for key, value in options.items():
        _check(name, key, value)
    kind = name.removesuffix("Cell")
    if options.get("proj_size", 0) >= options["hidden_size"]:
        raise LayerSyntaxError("proj_size must be smaller than hidden_size")
    return Cell(kind, **options) if name.endswith("Cell") else Layer(kind, **options)


def _own(options: dict[str, Any]) -> Layer:
    """Layers of a cell of `fastlstm.cells`; cells of a program's own are not looked for, since nothing is run."""
    if "cell" not in options:
        raise LayerSyntaxError("Recurrent needs a cell: for example Recurrent(PeepholeLSTM, 5, 6)")
    cell = options.pop("cell")
    if cell not in cells.SHELF:
        raise LayerSyntaxError(f"{cell!r} is no cell of fastlstm.cells, which has {', '.join(cells.SHELF)}")
    try:
        return stack(getattr(cells, cell), **options)
    except (TypeError, ValueError) as error:
        raise LayerSyntaxError(str(error)) from None


def parse_input(text: str, config: Layer | Cell) -> tuple[int | None, int | None]:
    """(T, B) of an input shape written as `1,3,5`. T is None for a cell, B is None without a batch axis."""
    try:
        shape = tuple(int(size) for size in text.strip("() ").rstrip(",").split(","))
    except ValueError:
        raise LayerSyntaxError(f"an input shape is whole numbers with commas, such as 1,3,5; got {text!r}") from None
    if any(size < 0 for size in shape):
        raise LayerSyntaxError(f"a size is negative in {text!r}")
    most = 2 if isinstance(config, Cell) else 3
    if len(shape) not in (most, most - 1):
        raise LayerSyntaxError(
            f"a {'cell' if most == 2 else 'layer'} takes {most} axes, or {most - 1} without a batch; got {len(shape)}"
        )
    if shape[-1] != config.input_size:
        raise LayerSyntaxError(
            f"the last axis is the feature axis: it must be input_size={config.input_size}, got {shape[-1]}"
        )
    rest = list(shape[:-1])
    if isinstance(config, Cell):
        return None, rest[0] if rest else None
    if len(rest) == 1:
        return rest[0], None
    T, B = reversed(rest) if config.batch_first else rest
    return T, B


def _call(text: str) -> tuple[str, dict[str, Any]]:
    """Class name (the last part of a dotted one) and arguments by name."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise LayerSyntaxError(f"not a constructor call: {text!r} ({error.msg})") from None
    if not isinstance(node, ast.Call):
        raise LayerSyntaxError(f"not a constructor call: {text!r}; write for example 'LSTM(5, 6, 2)'")
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")
    if name not in PARAMETERS:
        raise LayerSyntaxError(f"{name!r} is none of {', '.join(PARAMETERS)}")
    if len(node.args) > len(PARAMETERS[name]):
        raise LayerSyntaxError(f"{name} takes {len(PARAMETERS[name])} positional arguments, got {len(node.args)}")
    given = {key: _value(key, value) for key, value in zip(PARAMETERS[name], node.args, strict=False)}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise LayerSyntaxError("** cannot be read; write the options out")
        if keyword.arg in given:
            raise LayerSyntaxError(f"{keyword.arg} is given twice")
        given[keyword.arg] = None if keyword.arg in SHAPELESS else _value(keyword.arg, keyword.value)
    return name, given


def _value(key: str, node: ast.expr) -> Any:
    """A literal; of a cell the last part of its name."""
    if key == "cell" and isinstance(node, ast.Name | ast.Attribute):
        return node.id if isinstance(node, ast.Name) else node.attr
    return _literal(node)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise LayerSyntaxError(f"{ast.unparse(node)!r} is not a literal; put the number there") from None


def _check(name: str, key: str, value: Any) -> None:
    """The types and ranges of the options that change a shape."""
    if key in ("bias", "batch_first", "bidirectional"):
        if not isinstance(value, bool):
            hint = f"; position {PARAMETERS[name].index(key) + 1} of {name} is {key}"
            raise LayerSyntaxError(f"{key} must be True or False, got {value!r}{hint}")
    elif key == "nonlinearity":
        if value not in ("tanh", "relu"):
            raise LayerSyntaxError(f"nonlinearity must be 'tanh' or 'relu', got {value!r}")
    elif not isinstance(value, int) or isinstance(value, bool) or value < (0 if key == "proj_size" else 1):
        raise LayerSyntaxError(f"{key} must be a positive whole number, got {value!r}")
    elif key == "num_layers" and value > MOST_LAYERS:
        raise LayerSyntaxError(f"num_layers={value} would list {value} layers of weights; at most {MOST_LAYERS} here")
