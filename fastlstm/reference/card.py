"""A user's cell, one step: its graph (`fastlstm.spec`) interpreted with NumPy.

In `forward`, n sequences take the step together: x (n, I), states (n, H), step inputs (n, H) or (n, 1). G gates, N
heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ..spec import Cell
from ..spec.graph import evaluate
from .weights import sigmoid

States = tuple[ndarray, ...]
_COMPARE = {
    "gt": np.greater, "ge": np.greater_equal, "lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
_LOGIC = {"and": np.logical_and, "or": np.logical_or, "not": np.logical_not}


@dataclass
class CardWeights:
    """The parameters of one layer and direction of a cell, or their gradients, by torch's names without the suffix.

    weight_ih (G*H, I); weight_hh (G*H, H), in heads (N, G*H/N, H/N), diagonal (G*H,); bias_ih, bias_hh (G*H,); a
    unit parameter (H,). What a cell or a layer without bias does not have is not there.
    """

    cell: Cell
    heads: int
    hidden: int
    input_size: int
    arrays: dict[str, ndarray] = field(default_factory=dict)

    def zeros(self) -> CardWeights:
        """Zeros of the same shapes, for gradients to be summed in."""
        arrays = {name: np.zeros_like(value) for name, value in self.arrays.items()}
        return CardWeights(self.cell, self.heads, self.hidden, self.input_size, arrays)

    def named(self, suffix: str, *, bias: bool) -> dict[str, ndarray]:
        """The arrays by torch's names."""
        return {f"{name}{suffix}": value for name, value in self.arrays.items()}

    def input_products(self, x: ndarray) -> ndarray:
        """W_ih x + b_ih, (n, G, H); the input itself where input="none"."""
        product = x if self.cell.input == "none" else x @ self.arrays["weight_ih"].T + self.arrays.get("bias_ih", 0)
        return product.reshape(len(x), -1, self.hidden)

    def product(self, h: ndarray, gates: slice) -> ndarray:
        """W_hh h + b_hh of some gates, (n, gates, H)."""
        G, H, N = len(self.cell.gates), self.hidden, self.heads
        result = np.zeros((len(h), len(range(*gates.indices(G))), H), h.dtype)
        if self.cell.recurrent == "none":
            return result
        w = self.arrays["weight_hh"]
        if self.cell.recurrent == "dense":
            result += np.einsum("gij,bj->bgi", w.reshape(G, H, H)[gates], h)
        elif self.cell.recurrent == "diagonal":
            result += w.reshape(G, H)[gates] * h[:, None]
        else:
            blocks = w.reshape(N, G, H // N, H // N)[:, gates]
            result += np.einsum("ngij,bnj->bgni", blocks, h.reshape(-1, N, H // N)).reshape(result.shape)
        if "bias_hh" in self.arrays:
            result += self.arrays["bias_hh"].reshape(G, H)[gates]
        return result

    def product_back(self, d: ndarray, gates: slice) -> ndarray:
        """The transposed product of d (n, gates, H), summed over the gates: (n, H)."""
        G, H, N = len(self.cell.gates), self.hidden, self.heads
        if self.cell.recurrent == "none":
            return np.zeros((len(d), H), d.dtype)
        w = self.arrays["weight_hh"]
        if self.cell.recurrent == "dense":
            return np.einsum("gij,bgi->bj", w.reshape(G, H, H)[gates], d)
        if self.cell.recurrent == "diagonal":
            return (w.reshape(G, H)[gates] * d).sum(axis=1)
        blocks = w.reshape(N, G, H // N, H // N)[:, gates]
        return np.einsum("ngij,bgni->bnj", blocks, d.reshape(len(d), -1, N, H // N)).reshape(len(d), H)

    def add_product(self, d: ndarray, h: ndarray, gates: slice) -> None:
        """Adds to these gradients those of `product`, where d (n, gates, H) is the gradient of its result."""
        G, H, N = len(self.cell.gates), self.hidden, self.heads
        if self.cell.recurrent == "none":
            return
        grad = self.arrays["weight_hh"]
        if self.cell.recurrent == "dense":
            grad.reshape(G, H, H)[gates] += np.einsum("bgi,bj->gij", d, h)
        elif self.cell.recurrent == "diagonal":
            grad.reshape(G, H)[gates] += np.einsum("bgi,bi->gi", d, h)
        else:
            parts = d.reshape(len(d), -1, N, H // N)
            grad.reshape(N, G, H // N, H // N)[:, gates] += np.einsum("bgni,bnj->ngij", parts, h.reshape(-1, N, H // N))
        if "bias_hh" in self.arrays:
            self.arrays["bias_hh"].reshape(G, H)[gates] += d.sum(axis=0)


class _Calculus:
    """What a step computes with: arrays (n, H)."""

    def __init__(self, w: CardWeights, dtype: np.dtype) -> None:
        self._w, self._dtype = w, dtype
        self.tanh, self.exp, self.log, self.sqrt = np.tanh, np.exp, np.log, np.sqrt
        self.abs, self.sin, self.cos, self.sigmoid = np.abs, np.sin, np.cos, sigmoid
        self.minimum, self.maximum, self.pow, self.where = np.minimum, np.maximum, np.power, np.where

    def constant(self, value: float) -> Any:
        return self._dtype.type(value)

    def relu(self, x: ndarray) -> ndarray:
        return np.maximum(x, self._dtype.type(0))

    def softplus(self, x: ndarray) -> ndarray:
        return np.logaddexp(self._dtype.type(0), x)

    def log_sigmoid(self, x: ndarray) -> ndarray:
        return -np.logaddexp(self._dtype.type(0), -x)

    def clip(self, x: ndarray, low: ndarray, high: ndarray) -> ndarray:
        return np.minimum(np.maximum(x, low), high)

    def compare(self, op: str, a: ndarray, b: ndarray) -> ndarray:
        return _COMPARE[op](a, b)

    def logic(self, op: str, *args: ndarray) -> ndarray:
        return _LOGIC[op](*args)

    def mean(self, x: ndarray) -> ndarray:
        """Over the units of a sample; over those of a head where the cell has heads."""
        N = self._w.heads if self._w.cell.recurrent == "heads" else 1
        heads = x.reshape(-1, N, self._w.hidden // N)
        return np.broadcast_to(heads.mean(axis=2, keepdims=True), heads.shape).reshape(-1, self._w.hidden)

    def product(self, gate: str, x: ndarray) -> ndarray:
        return self._w.product(x, self._rows(gate))[:, 0]

    def product_back(self, gate: str, x: ndarray) -> ndarray:
        return self._w.product_back(x[:, None], self._rows(gate))

    def _rows(self, gate: str) -> slice:
        number = self._w.cell.gates.index(gate)
        return slice(number, number + 1)


class Kept(NamedTuple):
    """What `forward` leaves for `backward`: its arguments, and the value of every node."""

    x: ndarray
    states: States
    widths: tuple[int, ...]  # of the step inputs
    known: dict[int, Any]


class Card:
    """The equations of a user's cell."""

    def __init__(self, cell: Cell, hidden_size: int, heads: int) -> None:
        self.cell, self.hidden, self.heads = cell, hidden_size, heads

    def weights(self, parameters: Mapping[str, ndarray], suffix: str, input_size: int) -> CardWeights:
        """The parameters whose names end in `suffix`, such as `_l0` or `_l1_reverse`."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", *self.cell.unit)
        found = {name: parameters[f"{name}{suffix}"] for name in names if f"{name}{suffix}" in parameters}
        return CardWeights(self.cell, self.heads, self.hidden, input_size, found)

    def forward(self, x: ndarray, states: States, w: CardWeights, *extras: ndarray) -> tuple[States, Kept]:
        """The states after the step, and what `backward` needs."""
        cell = self.cell
        inputs, recurrent = w.input_products(x), w.product(states[0], slice(None))
        leaves: dict[Any, ndarray] = {("state", name): state for name, state in zip(cell.states, states, strict=True)}
        for number, gate in enumerate(cell.gates):
            leaves["x", gate], leaves["u", gate] = inputs[:, number], recurrent[:, number]
            leaves["gate", gate] = inputs[:, number] + recurrent[:, number]
        leaves |= {("unit", name): np.broadcast_to(w.arrays[name], states[0].shape) for name in cell.unit}
        leaves |= {("step", n): np.broadcast_to(e, states[0].shape) for n, e in zip(cell.step, extras, strict=True)}
        known = {n: leaves[node.data] for n, node in enumerate(cell.nodes) if node.op == "leaf" and node.data in leaves}
        calculus = _Calculus(w, x.dtype)
        after = evaluate(cell.nodes, [cell.outputs[name] for name in cell.states], known, calculus)
        shape = states[0].shape
        return tuple(np.broadcast_to(value, shape) for value in after), Kept(
            x, states, tuple(extra.shape[1] for extra in extras), known
        )

    def backward(self, d_states: States, kept: Kept, w: CardWeights, grad: CardWeights) -> tuple[Any, ...]:
        """Gradients of x, of the states before the step and of the step inputs; the weights' are added to `grad`."""
        cell = self.cell
        shape = d_states[0].shape
        for number, node in enumerate(cell.nodes):
            if node.op == "leaf" and node.data[0] == "grad":
                kept.known[number] = d_states[cell.states.index(node.data[1])]
        roots = [*cell.gradients.values(), *(number for _, *pair in cell.products for number in pair)]
        values = evaluate(cell.nodes, roots, kept.known, _Calculus(w, d_states[0].dtype))
        gradients = {leaf: np.broadcast_to(v, shape) for leaf, v in zip(cell.gradients, values, strict=False)}
        zero = np.zeros(shape, d_states[0].dtype)

        def of(kind: str, name: str) -> ndarray:
            return gradients.get((kind, name), zero)

        split = cell.splits_gates
        d_x_part = np.stack([of("x" if split else "gate", gate) for gate in cell.gates], axis=1)
        d_u_part = np.stack([of("u" if split else "gate", gate) for gate in cell.gates], axis=1)
        h = kept.states[0]
        grad.add_product(d_u_part, h, slice(None))
        for gate, number, value in cell.products:
            at = cell.gates.index(gate)
            result = np.broadcast_to(kept.known[number], shape)[:, None]
            grad.add_product(result, np.broadcast_to(kept.known[value], shape), slice(at, at + 1))
        for name in cell.unit:
            grad.arrays[name] += of("unit", name).sum(axis=0)
        d_h = of("state", cell.states[0]) + w.product_back(d_u_part, slice(None))
        d_before = (d_h, *(of("state", name) for name in cell.states[1:]))
        d_extras = [
            of("step", name) if width > 1 or w.hidden == 1 else of("step", name).sum(axis=1, keepdims=True)
            for name, width in zip(cell.step, kept.widths, strict=True)
        ]
        flat = d_x_part.reshape(len(h), -1)
        if cell.input == "none":
            return flat, d_before, *d_extras
        grad.arrays["weight_ih"] += flat.T @ kept.x
        if "bias_ih" in grad.arrays:
            grad.arrays["bias_ih"] += flat.sum(axis=0)
        return flat @ w.arrays["weight_ih"], d_before, *d_extras
