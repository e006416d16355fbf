"""Products of matrices: matmul, bmm, mm, mv, dot."""

from __future__ import annotations

from ..dims import Dim, product
from ..tensors import CONTIGUOUS, GUESSED
from ..values import Axis, Tensor, Value, resolve
from . import dtypes
from .alignment import broadcast
from .dtypes import BOOL
from .refusal import Refusal, differ, text
from .registry import Site, function, tensor_op


def matmul_shape(left: Value, right: Value) -> Tensor | None:
    """The result of `left @ right`."""
    a, b = resolve(left), resolve(right)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    if not a.rank or not b.rank:
        ranks = f"{a.rank}D and {b.rank}D"
        raise Refusal("product", f"both arguments to matmul need to be at least 1D, but they are {ranks}")
    if a.rank == 1 and b.rank == 1:
        return dot_shape(a, b)
    if b.rank == 1:
        _check_rows(a, b)
        return result_of(a, b, a.axes[:-1])
    if a.rank == 1 or (a.rank == 2 and b.rank == 2):
        lead = b.axes[:-2] if a.rank == 1 else ()
        rows = a.axes[:-1]
        if b.rank > 2 and differ(a.sizes[-1], b.sizes[-2]):
            raise batches(product(b.sizes[:-2]), a, b)
        _check_matrices(a, b)
        return result_of(a, b, (*lead, *rows, b.axes[-1]))
    if b.rank == 2:
        _check_matrices(a, b)
        return result_of(a, b, (*a.axes[:-1], b.axes[-1]))
    lead = _batch_axes(a, b)
    if differ(a.sizes[-1], b.sizes[-2]):
        raise batches(product(axis.size for axis in lead), a, b)
    return result_of(a, b, (*lead, a.axes[-2], b.axes[-1]))


def _batch_axes(a: Tensor, b: Tensor) -> tuple[Axis, ...]:
    """The axes in front of the matrices, broadcast."""
    return broadcast(Tensor(a.axes[:-2]), Tensor(b.axes[:-2])).axes


def batches(count: Dim, a: Tensor, b: Tensor) -> Refusal:
    """torch folds the axes in front into one, and finds the matrices to differ."""
    return Refusal(
        "product",
        f"Expected size for first two dimensions of batch2 tensor to be: {text((count, a.sizes[-1]))} but got: "
        f"{text((count, b.sizes[-2]))}.",
    )


def _from_layers(*tensors: Tensor) -> bool:
    """Whether all that is not certain of tensors is whether a layer got a batch or one sequence alone."""
    return all(
        GUESSED not in each.traits or (each.origin is not None and each.origin.role in ROLES) for each in tensors
    )


ROLES = frozenset({"output", "h_n", "c_n"})


def _check_rows(a: Tensor, b: Tensor) -> None:
    rows = product(a.sizes[:-1])
    if differ(a.sizes[-1], b.sizes[0]):
        sizes = f"({rows}), mat ({rows}x{a.sizes[-1]}), vec ({b.sizes[0]})"
        raise Refusal("product", f"size mismatch, got input {sizes}")


def _check_matrices(a: Tensor, b: Tensor) -> None:
    if differ(a.sizes[-1], b.sizes[-2]):
        rows = product(a.sizes[:-1])
        shapes = f"{rows}x{a.sizes[-1]} and {b.sizes[-2]}x{b.sizes[-1]}"
        sure = b.rank == 2 and GUESSED not in b.traits and _from_layers(a)  # of one sequence alone as well
        raise Refusal("product", f"mat1 and mat2 shapes cannot be multiplied ({shapes})", sure=sure)


def result_of(a: Tensor, b: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The product of two tensors that fit; their types must be the same."""
    if a.dtype is not None and b.dtype is not None:
        if a.dtype != b.dtype:
            words = f"{dtypes.in_cpp(a.dtype)} != {dtypes.in_cpp(b.dtype)}"
            sentence = f"expected m1 and m2 to have the same dtype, but got: {words}"
            if max(a.rank, b.rank) > 2 and b.rank > 2:
                sentence = f"expected scalar type {dtypes.spoken(a.dtype)} but found {dtypes.spoken(b.dtype)}"
            raise Refusal("dtype", sentence, sure=True)
        if a.dtype == BOOL:
            raise Refusal("dtype", "\"addmm_impl_cpu_\" not implemented for 'Bool'", sure=True)
    traits = (a.traits | b.traits) & {GUESSED}
    return Tensor(axes, None, traits, a.dtype if a.dtype == b.dtype else None, CONTIGUOUS)


def dot_shape(a: Tensor, b: Tensor) -> Tensor:
    """The scalar product of two vectors."""
    x, y = a.sizes[0], b.sizes[0]
    if a.dtype is not None and b.dtype is not None and a.dtype != b.dtype:
        words = f"{dtypes.spoken(a.dtype)} and {dtypes.spoken(b.dtype)}"
        raise Refusal("dtype", f"dot : expected both vectors to have same dtype, but found {words}")
    if differ(x, y):
        raise Refusal(
            "product",
            f"inconsistent tensor size, expected tensor [{x}] and src [{y}] to have the same number of elements, "
            f"but got {x} and {y} elements respectively",
        )
    return result_of(a, b, ())


@function("torch.linalg.matmul")
@tensor_op("matmul")
def matmul(site: Site, input: Value, other: Value) -> Value | None:
    return matmul_shape(input, other)


@tensor_op("bmm")
def bmm(site: Site, input: Value, mat2: Value) -> Value | None:
    a, b = resolve(input), resolve(mat2)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    # Of a layer's output on one sequence alone, with two axes, torch says no as well.
    sure = _from_layers(a, b) and max(a.rank, b.rank) <= 3
    for number, each in enumerate((a, b), 1):
        if each.rank != 3:
            raise Refusal("product", f"batch{number} must be a 3D tensor", each, sure=sure)
    if differ(a.sizes[0], b.sizes[0]) or differ(a.sizes[2], b.sizes[1]):
        raise Refusal(
            "product",
            f"Expected size for first two dimensions of batch2 tensor to be: {text((a.sizes[0], a.sizes[2]))} but got: "
            f"{text(b.sizes[:2])}.",
            sure=sure,
        )
    return result_of(a, b, (a.axes[0], a.axes[1], b.axes[2]))


@tensor_op("mm")
def mm(site: Site, input: Value, mat2: Value) -> Value | None:
    a, b = resolve(input), resolve(mat2)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    for name, each in (("self", a), ("mat2", b)):
        if each.rank != 2:
            raise Refusal("product", f"{name} must be a matrix", each)
    return matmul_shape(a, b)


@tensor_op("mv")
def mv(site: Site, input: Value, vec: Value) -> Value | None:
    a, b = resolve(input), resolve(vec)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    if a.rank != 2 or b.rank != 1:
        sentence = f"vector + matrix @ vector expected, got 1, {a.rank}, {b.rank}"
        raise Refusal("product", sentence)
    return matmul_shape(a, b)


@tensor_op("dot", "vdot")
def dot(site: Site, input: Value, tensor: Value) -> Value | None:
    a, b = resolve(input), resolve(tensor)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    if a.rank != 1 or b.rank != 1:
        raise Refusal("product", f"1D tensors expected, but got {a.rank}D and {b.rank}D tensors")
    return dot_shape(a, b)
