"""Any value in words, for a reader who asks: tensors, sizes, layers, tuples and sequences of them."""

from __future__ import annotations

from collections.abc import Callable

from ..dims import Symbol
from ..layers import Recurrent
from ..values import Const, Instance, Many, Module, Num, Tup, Value, dim_of, resolve
from .words import UNKNOWN, describe, size_words

Name = Callable[[Symbol], str]

MOST_ITEMS = 6
MOST_OPTIONS = 6


def tell(value: Value, name: Name) -> str | None:
    """A value in words; None where nothing is known of it."""
    value = resolve(value)
    words = describe(value, name)
    if words is not None:
        return str(words)
    if isinstance(value, Num):
        size = size_words(value.dim, name)
        return None if size == UNKNOWN else f"int {size}"
    if isinstance(value, Recurrent):
        return _layer(value, name)
    if isinstance(value, Module):
        return _module(value, name)
    if isinstance(value, Instance):
        return value.cls.name
    if isinstance(value, Many):
        item = tell(value.item, name)
        return None if item is None else f"sequence of {item}"
    if isinstance(value, Tup):
        return _items(value, name)
    return None


def _items(value: Tup, name: Name) -> str | None:
    items = [tell(item, name) for item in value.items[:MOST_ITEMS]]
    if not any(item is not None for item in items):
        return None
    inner = ", ".join(item or UNKNOWN for item in items)
    more = ", ..." if len(value.items) > MOST_ITEMS else ""
    return f"[{inner}{more}]" if value.is_list else f"({inner}{more})"


def _layer(layer: Recurrent, name: Name) -> str:
    """The constructor call that would make this layer; what is at its default is left out."""

    def size(dim: object) -> str:
        return size_words(dim, name)  # type: ignore[arg-type]

    options = [size(layer.input_size), size(layer.hidden_size)]
    if layer.num_layers != 1:
        options.append(f"num_layers={size(layer.num_layers)}")
    if layer.batch_first is not False:
        options.append(f"batch_first={UNKNOWN if layer.batch_first is None else layer.batch_first}")
    if layer.directions != 1:
        options.append(f"bidirectional={layer.directions == 2 or UNKNOWN}")
    if layer.proj_size != 0:
        options.append(f"proj_size={size(layer.proj_size)}")
    return f"{layer.label}({', '.join(options)})"


def _module(module: Module, name: Name) -> str:
    options = []
    for word, value in module.config.items():
        dim = dim_of(value) if not isinstance(value, Const) else None
        text = repr(value.value) if isinstance(value, Const) else UNKNOWN if dim is None else size_words(dim, name)
        options.append(f"{word}={text}")
    more = ["..."] if len(options) > MOST_OPTIONS else []
    return f"nn.{module.kind}({', '.join(options[:MOST_OPTIONS] + more)})"
