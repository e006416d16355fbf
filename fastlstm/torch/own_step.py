"""One step of a user's cell by torch's operators: on any device and of any dtype, with torch's gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastlstm.reference.step import Step, step_of
from fastlstm.spec import Stack

_COMPARE: dict[str, Any] = {
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
}
_LOGIC: dict[str, Any] = {"and": torch.logical_and, "or": torch.logical_or, "not": torch.logical_not}


class _Calculus:
    """What a step computes with: tensors (B, H) and Python's floats."""

    def __init__(self, heads: int) -> None:
        self._heads = heads
        self.sigmoid, self.tanh, self.relu = torch.sigmoid, torch.tanh, torch.relu
        self.exp, self.log, self.sqrt, self.abs = torch.exp, torch.log, torch.sqrt, torch.abs
        self.sin, self.cos, self.pow, self.where = torch.sin, torch.cos, torch.pow, torch.where
        self.softplus, self.log_sigmoid = functional.softplus, functional.logsigmoid

    def constant(self, value: float) -> float:
        return value

    def minimum(self, a: Any, b: Any) -> Tensor:
        return torch.minimum(*_tensors(a, b))

    def maximum(self, a: Any, b: Any) -> Tensor:
        return torch.maximum(*_tensors(a, b))

    def clip(self, value: Tensor, low: Any, high: Any) -> Tensor:
        return torch.clamp(value, low, high)

    def compare(self, op: str, a: Tensor, b: Any) -> Tensor:
        return _COMPARE[op](*(_tensors(a, b) if not isinstance(a, Tensor) else (a, b)))

    def logic(self, op: str, *args: Tensor) -> Tensor:
        return _LOGIC[op](*args)

    def custom(self, value: Tensor, slopes: Sequence[tuple[Any, Tensor]]) -> Tensor:
        """`value`, with these slopes for its arguments: what is added is zero."""
        if not torch.is_grad_enabled():
            return value
        result = value.detach()
        for slope, arg in slopes:
            result = result + (slope.detach() if isinstance(slope, Tensor) else slope) * (arg - arg.detach())
        return result

    def mean(self, value: Tensor) -> Tensor:
        """Over the units of a sample, or of a head."""
        parts = value.unflatten(1, (self._heads, -1))
        means = parts.mean(dim=2, keepdim=True)
        return means[:, 0] if self._heads == 1 else means.expand_as(parts).flatten(1)


def _tensors(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    like = a if isinstance(a, Tensor) else b
    one, other = (v if isinstance(v, Tensor) else like.new_tensor(v) for v in (a, b))
    return one, other


def own_step(config: Stack, own: Mapping[str, Tensor]) -> Step:
    """A step of one layer and direction, whose parameters are `own`, by names without the layer."""
    cell, N, H = config.cell, config.num_heads, config.hidden_size
    G = len(cell.gates)
    weight, bias = own.get("weight_hh"), own.get("bias_hh")

    def product(h: Tensor, gates: slice) -> Tensor:
        assert weight is not None
        if cell.recurrent == "dense":
            rows = slice(gates.start * H, gates.stop * H)
            return functional.linear(h, weight[rows], None if bias is None else bias[rows]).unflatten(1, (-1, H))
        if cell.recurrent == "diagonal":
            result = weight.view(G, H)[gates] * h[:, None]
        else:
            blocks = weight.view(N, G, H // N, H // N)[:, gates].flatten(1, 2)
            result = torch.bmm(h.unflatten(1, (N, -1)).transpose(0, 1), blocks.transpose(1, 2))
            result = result.unflatten(2, (-1, H // N)).permute(1, 2, 0, 3).flatten(2)
        return result if bias is None else result + bias.view(G, H)[gates]

    units = {name: own[name] for name in cell.unit}
    return step_of(cell, _Calculus(N if cell.recurrent == "heads" else 1), product, units)
