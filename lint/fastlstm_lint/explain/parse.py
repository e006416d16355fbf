"""A constructor call written as text, such as `self.lstm = nn.LSTM(5, 6, num_layers=2)`, read without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Any

from ..contract import ROUNDED, Cell, Layer
from .named import Named

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

SIZES = {"input_size", "hidden_size", "proj_size"}
"""Options that may be given by a name of the program's: they are shown by that name."""

DRAWN_LAYERS = 2
"""Layers that are shown where the program gives their number by a name."""

MOST_LAYERS = 1000

LONGEST = 20_000
"""Characters of a text that is read at all: a constructor has some hundred."""

CALLED = re.compile(rf"\b(?:{'|'.join(PARAMETERS)})\s*\(")
"""What makes a text look like a constructor call."""

PROMPT = re.compile(r"^(?:>>> |\.\.\. |In \[\d+\]: |\(\w+\): )", re.MULTILINE)
"""What stands before code in a session, and before a layer where torch prints a model."""


Own = Callable[[dict[str, Any]], Layer]
"""The layers of a cell of one's own, from the arguments of `Recurrent` as they are written. ValueError: wrong ones."""


class LayerSyntaxError(ValueError):
    """The text is not a constructor call this library can explain; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Read:
    """A constructor call as read: the configuration, what had to be supposed to show it, and the weights that
    `quantize` around it gives it.
    """

    config: Layer | Cell
    supposed: tuple[tuple[str, int], ...] = ()
    weights: str | None = None


def parse(text: str, own: Own | None = None) -> Layer | Cell:
    """The configuration that a constructor call names. Arguments must be literals: nothing is evaluated."""
    found = read(text, own)
    named = [name for name, _ in found.supposed]
    named += [str(size) for key in sorted(SIZES) if isinstance(size := getattr(found.config, key, 0), Named)]
    if named:
        raise LayerSyntaxError(f"{named[0]!r} is not a literal; put the number there")
    return found.config


def read(text: str, own: Own | None = None) -> Read:
    """The first constructor call in a piece of program, an assignment or a printed model for example.

    Sizes may be names, which stand for themselves (`Named`). `own` makes the layers of `Recurrent`, which only
    fastlstm has. It may stand in a call of `quantize`.
    """
    calls = [node for node in ast.walk(_tree(text)) if isinstance(node, ast.Call)]
    found, weights = _read(text, calls, own), _weights(calls)
    if weights is not None and isinstance(found.config, Cell):
        raise LayerSyntaxError("quantize takes a layer: one called with one step does what a cell does")
    return replace(found, weights=weights)


def _weights(calls: Sequence[ast.Call]) -> str | None:
    """What the weights become: `weights` of quantize(layer, weights="int8"), where there is such a call."""
    node = next((each for each in calls if _name(each) == "quantize"), None)
    if node is None:
        return None
    given: list[Any] = [_value("weights", keyword.value) for keyword in node.keywords if keyword.arg == "weights"]
    given += [_value("weights", argument) for argument in node.args[1:2]] or ["int8"]
    if given[0] not in ROUNDED:
        raise LayerSyntaxError(f"weights is {given[0]!r}, expected {' or '.join(map(repr, ROUNDED))}")
    return str(given[0])


def _read(text: str, calls: Sequence[ast.Call], own: Own | None) -> Read:
    name, given = _call(text, calls)
    known = [*PARAMETERS[name], *sorted(KEYWORDS.get(name, ()))]
    unknown = [key for key in given if key not in known and key not in ANYWHERE]
    if unknown:
        raise LayerSyntaxError(f"{name} has no option {unknown[0]!r}; it takes {', '.join(known)}")
    for required in ("input_size", "hidden_size"):
        if required not in given:
            raise LayerSyntaxError(f"{name} needs {required}: for example {name}(5, 6)")
    options = {key: value for key, value in given.items() if key not in SHAPELESS}
    if name == "Recurrent":
        return Read(_own(options, own))
    supposed: tuple[tuple[str, int], ...] = ()
    if isinstance(options.get("num_layers"), Named):
        supposed = ((str(options["num_layers"]), DRAWN_LAYERS),)
        options["num_layers"] = DRAWN_LAYERS
    for key, value in options.items():
        if not (isinstance(value, Named) and key in SIZES):
            _check(name, key, value)
    kind = name.removesuffix("Cell")
    projection, hidden = options.get("proj_size", 0), options["hidden_size"]
    if isinstance(projection, int) and isinstance(hidden, int) and projection >= hidden:
        raise LayerSyntaxError("proj_size must be smaller than hidden_size")
    return Read(Cell(kind, **options) if name.endswith("Cell") else Layer(kind, **options), supposed)


def _own(options: dict[str, Any], make: Own | None) -> Layer:
    """Layers of a cell of one's own."""
    if make is None:
        raise LayerSyntaxError("Recurrent is a layer of fastlstm: its own `explain` knows it (pip install fastlstm)")
    if "cell" not in options:
        raise LayerSyntaxError("Recurrent needs a cell: for example Recurrent(PeepholeLSTM, 5, 6)")
    for key, value in options.items():
        if isinstance(value, Named):
            raise LayerSyntaxError(f"{key}={value} is not a literal; put the number there")
    try:
        return make(options)
    except (TypeError, ValueError) as error:
        raise LayerSyntaxError(str(error)) from None


def _call(text: str, calls: Sequence[ast.Call]) -> tuple[str, dict[str, Any]]:
    """Class name (the last part of a dotted one) and arguments by name."""
    if not calls:
        raise LayerSyntaxError(f"not a constructor call: {text!r}; write for example 'LSTM(5, 6, 2)'")
    node = next((each for each in calls if _name(each) in PARAMETERS), calls[0])
    name = _name(node)
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


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")


def _tree(text: str) -> ast.Module:
    if len(text) > LONGEST:
        raise LayerSyntaxError(f"not a constructor call: {len(text):,} characters; paste the call alone")
    code = dedent(PROMPT.sub("", dedent(text).strip()))
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes and comparisons that Python thinks odd
            return ast.parse(code)
    except SyntaxError as error:
        inside = _inside(text)
        if inside is not None and inside != text:
            return _tree(inside)
        raise LayerSyntaxError(f"not a constructor call: {text!r} ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError):
        raise LayerSyntaxError("not a constructor call: it cannot be parsed") from None


def _inside(sentence: str) -> str | None:
    """The constructor call in a sentence, from its name to the bracket that ends it."""
    match = CALLED.search(sentence)
    if match is None:
        return None
    open_ = 0
    for at in range(match.end() - 1, len(sentence)):
        open_ += (sentence[at] == "(") - (sentence[at] == ")")
        if open_ == 0:
            return sentence[match.start() : at + 1]
    return None


def _value(key: str, node: ast.expr) -> Any:
    """A literal; of a cell the last part of its name; of a size or a number of layers also a name."""
    if key == "cell" and isinstance(node, ast.Name | ast.Attribute):
        return node.id if isinstance(node, ast.Name) else node.attr
    if (key in SIZES or key == "num_layers") and _is_named(node):
        return Named(ast.unparse(node).replace(" * ", "*"))
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        put = (
            "'int8'"
            if key == "weights"
            else "True or False"
            if key in ("bias", "batch_first", "bidirectional")
            else "the number"
        )
        raise LayerSyntaxError(f"{key}={ast.unparse(node)} is not a literal; put {put} there") from None


def _is_named(node: ast.expr) -> bool:
    """Whether a size is written with names, dots and arithmetic alone, and with one name at least."""
    if isinstance(node, ast.Name):
        return True
    if isinstance(node, ast.Attribute):
        return _is_named(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv):
        sides = (node.left, node.right)
        plain = [isinstance(side, ast.Constant) and type(side.value) is int for side in sides]
        return not all(plain) and all(known or _is_named(side) for known, side in zip(plain, sides, strict=True))
    return False


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
