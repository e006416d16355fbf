"""Arithmetic between tensors, with broadcasting."""

from __future__ import annotations

import libcst as cst

from ..values import Opaque, Tensor, Value, resolve
from .caller import Caller
from .registry import Site, tensor_op


def operator(vm: Caller, node: cst.CSTNode, name: str, left: Value, right: Value) -> Value:
    """`left name right` where at least one is a tensor; `name` is libcst's name of the operator."""
    if name == "MatrixMultiply":
        from .linalg import matmul_shape

        result = matmul_shape(left, right)
        return Opaque("?") if result is None else result
    result = combine(left, right)
    return weighed(left, right, result) if name == "Multiply" else result


def weighed(left: Value, right: Value, result: Value) -> Value:
    """A product, marked where it picks log-probabilities by class: `log_probs * one_hot`."""
    if not isinstance(left, Tensor) or not isinstance(right, Tensor) or not isinstance(result, Tensor):
        return result
    full = left.rank == right.rank >= 2 and left.sizes[-1] != 1 and right.sizes[-1] != 1
    if full and "log_softmax" in left.traits | right.traits:
        return result.replaced(result.axes, None, result.traits | {"picked"})
    return result


def combine(left: Value, right: Value) -> Value:
    """The broadcast of two values; an unknown beside a tensor may be of any shape."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return _broadcast(left, right)
    tensor, other = (left, right) if isinstance(left, Tensor) else (right, left)
    if isinstance(tensor, Tensor) and not isinstance(other, (Tensor, Opaque)):
        return tensor
    if isinstance(tensor, Tensor) and tensor.rank >= 2 and all(size != 1 for size in tensor.sizes):
        # A mask, a scale or a bias: it cannot make the tensor smaller, and hardly ever makes it larger.
        return tensor.replaced(tensor.axes)
    return Opaque("?")


def _broadcast(left: Tensor, right: Tensor) -> Value:
    long, short = (left, right) if left.rank >= right.rank else (right, left)
    lead = long.rank - short.rank
    axes = list(long.axes[:lead])
    for a, b in zip(long.axes[lead:], short.axes, strict=True):
        if a.size == 1:
            axes.append(b)
        elif b.size == 1 or a.size != b.size:
            axes.append(a)
        else:
            axes.append(a if any(word is not None for word in a.meaning) else b)
    return Tensor(tuple(axes), None, left.traits & right.traits)


@tensor_op("add", "sub", "mul", "div", "maximum", "minimum", "add_", "sub_", "mul_", "div_", "eq", "ne", "gt", "lt")
def arithmetic(site: Site, input: Value, other: Value) -> Value | None:
    return combine(resolve(input), resolve(other))


@tensor_op("where")
def where(site: Site, condition: Value, input: Value | None = None, other: Value | None = None) -> Value | None:
    if input is None or other is None:
        return None
    a, b = resolve(input), resolve(other)
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.rank == b.rank:
        return _broadcast(a, b)
    return None
