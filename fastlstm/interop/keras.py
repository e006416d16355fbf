"""Keras's order of gates and shapes of weights. Arrays only: Keras is not imported.

Keras computes x @ kernel with kernel (I, G*H) where torch has (G*H, I), orders the gates i f c o and z r h, and has one
bias for a gate where torch has two. Only a GRU with reset_after=True, its default, has two as well, (2, 3*H); with
reset_after=False it multiplies the state by r before the recurrent product, which neither torch nor this library does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from fastlstm_lint.contract import GATES, parts
from numpy import ndarray

from fastlstm.errors import count, flag, refuse_shape, refuse_type
from fastlstm.interop.gates import from_order, to_order
from fastlstm.layers import GRU, LSTM, RNN
from fastlstm.layers.arrays import float_dtype, plain

ORDER = {"LSTM": ("i", "f", "g", "o"), "GRU": ("z", "r", "n"), "RNN": ("h",)}
"""Keras's order by the contract's names: its candidates, c and h, are torch's g and n."""


def read(
    cls: type, weights: Sequence[ndarray], num_layers: int, bidirectional: bool, batch_first: bool, options: Any
) -> Any:
    """A layer of class `cls` from a list as `get_weights()` gives it; see `from_keras_weights`."""
    kind = next(kind.__name__ for kind in (LSTM, GRU, RNN) if issubclass(cls, kind))
    num_layers, bidirectional = count("num_layers", num_layers), flag("bidirectional", bidirectional)
    groups = dict(_groups(weights, num_layers, bidirectional))
    kernel, recurrent = groups["_l0"][:2]
    I, H = kernel.shape[0], recurrent.shape[0]
    for suffix, group in groups.items():
        _check(kind, suffix, group, I if suffix.startswith("_l0") else H * (2 if bidirectional else 1), H)
    layer = cls(
        I,
        H,
        num_layers=num_layers,
        bias=len(groups["_l0"]) == 3,
        batch_first=batch_first,
        bidirectional=bidirectional,
        dtype=float_dtype(kernel.dtype),
        **options,
    )
    layer.load_state_dict(
        {name + suffix: value for suffix, group in groups.items() for name, value in _named(kind, group).items()}
    )
    return layer


def write(layer: Any) -> list[ndarray]:
    """What `set_weights` of the Keras layer takes; see `to_keras_weights`."""
    config, state = layer.config, layer.state_dict()
    if config.projected:
        raise ValueError(f"proj_size is {config.proj_size}: Keras has no projection")
    found, order = [], ORDER[config.kind]
    for _, _, suffix in config.parts():
        found += [to_order(config.kind, order, state[f"weight_{part}{suffix}"]).T for part in ("ih", "hh")]
        if config.bias:
            both = [to_order(config.kind, order, state[f"bias_{part}{suffix}"]) for part in ("ih", "hh")]
            found.append(np.stack(both) if config.kind == "GRU" else both[0] + both[1])
    return [np.ascontiguousarray(value) for value in found]


def _groups(
    weights: Sequence[ndarray], num_layers: int, bidirectional: bool
) -> Iterator[tuple[str, tuple[ndarray, ...]]]:
    """The arrays of each layer and direction, by suffix: kernel, recurrent_kernel and perhaps bias."""
    if isinstance(weights, ndarray) or not isinstance(weights, Sequence):
        refuse_type("weights", weights, "list of numpy arrays", "layer.get_weights()")
    for k, value in enumerate(weights):
        if plain(f"weights[{k}]", value, "numpy array").dtype.kind != "f":
            raise ValueError(f"weights[{k}] is {value.dtype}, expected a float dtype")
    number = num_layers * (2 if bidirectional else 1)
    size, rest = divmod(len(weights), number)
    if rest or size not in (2, 3):
        raise ValueError(
            f"there are {len(weights)} weights, expected {3 * number} (or {2 * number} without bias): kernel, "
            "recurrent_kernel and bias for each layer and direction; num_layers and bidirectional say how many"
        )
    for k, value in enumerate(weights):
        if k % size < 2 and value.ndim != 2:
            refuse_shape(f"weights[{k}]", value.shape, "(H, G*H)" if k % size else "(I, G*H)")
    for k, (_, _, suffix) in enumerate(parts(num_layers, 2 if bidirectional else 1)):
        yield suffix, tuple(weights[size * k : size * (k + 1)])


def _check(kind: str, suffix: str, group: tuple[ndarray, ...], I: int, H: int) -> None:
    """The arrays of one layer and direction have Keras's shapes."""
    columns = len(GATES[kind]) * H
    is_gru = kind == "GRU"
    due = {
        "kernel": ("(I, G*H)", (I, columns)),
        "recurrent_kernel": ("(H, G*H)", (H, columns)),
        "bias": ("(2, G*H)", (2, columns)) if is_gru else ("(G*H,)", (columns,)),
    }
    for (name, (letters, shape)), value in zip(due.items(), group, strict=False):
        if value.shape != shape:
            refuse_shape(f"{name} of {suffix[1:]}", value.shape, f"{letters} = {shape}", [
                (is_gru and value.shape == (columns,),
                 "a GRU with reset_after=False computes something else than torch and this library do"),
                (value.shape == shape[::-1], "this is torch's layout: pass its transpose, or use load_state_dict"),
            ])  # fmt: skip


def _named(kind: str, group: tuple[ndarray, ...]) -> dict[str, ndarray]:
    """The arrays of one layer and direction by torch's names without their suffix."""
    kernel, recurrent, *bias = group
    found = {
        "weight_ih": from_order(kind, ORDER[kind], kernel.T),
        "weight_hh": from_order(kind, ORDER[kind], recurrent.T),
    }
    if bias:
        rows = bias[0] if kind == "GRU" else (bias[0], np.zeros_like(bias[0]))
        found["bias_ih"], found["bias_hh"] = (from_order(kind, ORDER[kind], row) for row in rows)
    return found
