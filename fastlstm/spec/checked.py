"""The arguments of the layers of a user's cell, on arrays and in torch, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from .. import errors
from .cell import Cell
from .stack import Stack


def stack(
    cell: Any,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    bias: bool = True,
    batch_first: bool = False,
    bidirectional: bool = False,
    num_heads: int = 1,
) -> Stack:
    """The checked configuration of layers of a user's cell."""
    if not isinstance(cell, Cell):
        hint = "decorate the step with @fastlstm.cell(gates=..., states=...), or take one of fastlstm.cells"
        errors.refuse_type("cell", cell, "fastlstm cell", hint)
    config = Stack(
        cell.name,
        errors.count("input_size", input_size),
        errors.count("hidden_size", hidden_size),
        errors.count("num_layers", num_layers),
        errors.flag("bias", bias),
        errors.flag("batch_first", batch_first),
        errors.flag("bidirectional", bidirectional),
        cell=cell,
        num_heads=errors.count("num_heads", num_heads),
    )
    N, H, G = config.num_heads, config.hidden_size, len(cell.gates)
    if cell.recurrent != "heads" and N != 1:
        raise ValueError(f"num_heads is {N}, but {cell.name} has recurrent={cell.recurrent!r}, not 'heads'")
    if H % N:
        raise ValueError(f"num_heads is {N}, expected a divisor of hidden_size = {H}")
    if cell.input == "none":
        if config.input_size != G * H:
            raise ValueError(f"input_size is {config.input_size}, expected G*H = {G}*{H} = {G * H}: the input of "
                             f"{cell.name} holds its gates {', '.join(cell.gates)}")  # fmt: skip
        if config.num_layers > 1:
            raise ValueError(f"num_layers is {config.num_layers}, expected 1: the input of {cell.name} holds its "
                             "gates, which the layer below does not give")  # fmt: skip
    return config


def first_values(config: Stack, unit: Any) -> dict[str, Any]:
    """First values of unit parameters, checked."""
    if unit is None:
        return {}
    if not isinstance(unit, Mapping):
        errors.refuse_type("unit", unit, "dict", "first values by name, as unit={'p_i': 0.0}")
    names, H = config.cell.unit, config.hidden_size
    for name, value in unit.items():
        if name not in names:
            there = f"its unit parameters are {', '.join(names)}" if names else "it has no unit parameters"
            raise ValueError(f"unit names {name!r}, which {config.cell.name} has not: {there}")
        if not isinstance(value, Real) or isinstance(value, bool):
            # An array, NumPy's or torch's, which this package does not import.
            kind = str(getattr(value, "dtype", "?")).removeprefix("torch.")
            if not kind.startswith(("float", "int", "uint")):
                errors.refuse_type(f"unit[{name!r}]", value, "number or array of numbers")
            if tuple(value.shape) not in ((), (H,)):
                errors.refuse_shape(f"unit[{name!r}]", tuple(value.shape), f"(H,) = ({H},), or one number")
    return dict(unit)
