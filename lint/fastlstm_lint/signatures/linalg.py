"""Products of matrices: matmul, bmm, mm, einsum."""

from __future__ import annotations

from ..values import Axis, Const, Tensor, Tup, Value, resolve
from .registry import Site, function, tensor_op


def matmul_shape(left: Value, right: Value) -> Tensor | None:
    """The shape of `left @ right`."""
    a, b = resolve(left), resolve(right)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or not a.rank or not b.rank:
        return None
    if b.rank == 1:
        return Tensor(a.axes[:-1])
    if a.rank == 1:
        return Tensor((*b.axes[:-2], b.axes[-1]))
    lead = a.axes[:-2] if a.rank >= b.rank else b.axes[:-2]
    return Tensor((*lead, a.axes[-2], b.axes[-1]))


@tensor_op("matmul", "bmm", "mm", "mv", "dot")
def matmul(site: Site, input: Value, other: Value) -> Value | None:
    return matmul_shape(input, other)


@function("torch.einsum", variadic=True)
def einsum(site: Site, equation: Value, operands: Value) -> Value | None:
    """A literal equation without `...`: letters carry axes across."""
    tensors = [resolve(item) for item in operands.items] if isinstance(operands, Tup) else []
    if not isinstance(equation, Const) or not isinstance(equation.value, str) or "->" not in equation.value:
        return None
    left, _, right = equation.value.replace(" ", "").partition("->")
    terms = left.split(",")
    axes: dict[str, Axis] = {}
    if len(terms) != len(tensors) or "." in left:
        return None
    for term, tensor in zip(terms, tensors, strict=True):
        if not isinstance(tensor, Tensor) or tensor.rank != len(term):
            return None
        for letter, axis in zip(term, tensor.axes, strict=True):
            known = axes.get(letter)
            if known is None or all(word is None for word in known.meaning):
                axes[letter] = axis
    if any(letter not in axes for letter in right):
        return None
    return Tensor(tuple(axes[letter] for letter in right))
