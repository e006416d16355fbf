"""Products that add, and those of vectors: addmm, baddbmm, outer, inner, tensordot, cross and their like."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..dims import Dim
from ..tensors import CONTIGUOUS, GUESSED
from ..values import Axis, Tensor, Tup, Value, int_of, resolve
from .alignment import broadcast
from .linalg import matmul_shape
from .refusal import Refusal, differ, dimension, text
from .registry import Site, function, tensor_op


def known(*values: Value) -> list[Tensor]:
    """The values as tensors; empty where one of them is none of known rank."""
    found = [each for each in map(resolve, values) if isinstance(each, Tensor)]
    return found if len(found) == len(values) else []


def of(tensors: Sequence[Tensor], axes: Sequence[Axis]) -> Tensor:
    """A new tensor made of some; of their element type where they have one."""
    traits = frozenset({GUESSED}) if any(GUESSED in each.traits for each in tensors) else frozenset()
    dtypes = {each.dtype for each in tensors}
    return Tensor(tuple(axes), None, traits, dtypes.pop() if len(dtypes) == 1 else None, CONTIGUOUS)


def check_rank(tensor: Tensor, rank: int, sentence: str) -> None:
    if tensor.rank != rank:
        raise Refusal("product", sentence, tensor)


def check_fits(tensor: Tensor, sizes: Sequence[Dim]) -> None:
    """What is added is expanded to the product's axes: it may have fewer, and ones of size 1."""
    lead = len(sizes) - tensor.rank
    pairs = zip(tensor.sizes, sizes[max(lead, 0) :], strict=lead >= 0)
    if lead < 0 or any(differ(a, b) and differ(a, 1) for a, b in pairs):
        raise Refusal(
            "broadcast",
            f"The expanded size of the tensor must match the existing size. Target sizes: {text(sizes)}. Tensor sizes: "
            f"{text(tensor.sizes)}",
            tensor,
        )


def _added(input: Value, axes: tuple[Axis, ...], factors: Sequence[Tensor]) -> Tensor:
    added = resolve(input)
    if isinstance(added, Tensor):
        check_fits(added, [axis.size for axis in axes])
    return of(factors, axes)


@tensor_op("addmm")
def addmm(site: Site, input: Value, mat1: Value, mat2: Value) -> Value | None:
    """input + mat1 @ mat2."""
    if not (factors := known(mat1, mat2)):
        return None
    for number, each in enumerate(factors, 1):
        check_rank(each, 2, f"mat{number} must be a matrix, got {each.rank}-D tensor")
    product = matmul_shape(*factors)
    return None if product is None else _added(input, product.axes, factors)


@tensor_op("baddbmm", "addbmm")
def baddbmm(site: Site, input: Value, batch1: Value, batch2: Value) -> Value | None:
    """input + batch1 @ batch2, of which addbmm takes the sum over the batch."""
    if not (factors := known(batch1, batch2)):
        return None
    for number, each in enumerate(factors, 1):
        check_rank(each, 3, f"batch{number} must be a 3D tensor")
    a, b = factors
    if differ(a.sizes[0], b.sizes[0]) or differ(a.sizes[2], b.sizes[1]):
        wanted = text((a.sizes[0], a.sizes[2]))
        sentence = (
            f"Expected size for first two dimensions of batch2 tensor to be: {wanted} but got: {text(b.sizes[:2])}."
        )
        raise Refusal("product", sentence, a, b)
    axes = (a.axes[1], b.axes[2])
    return _added(input, axes if site.name == "addbmm" else (a.axes[0], *axes), factors)


@tensor_op("addmv")
def addmv(site: Site, input: Value, mat: Value, vec: Value) -> Value | None:
    """input + mat @ vec."""
    if not (factors := known(mat, vec)):
        return None
    a, b = factors
    if a.rank != 2 or b.rank != 1:
        raise Refusal("product", f"vector + matrix @ vector expected, got {a.rank}, {b.rank}", a, b)
    product = matmul_shape(a, b)
    return None if product is None else _added(input, product.axes, factors)


@tensor_op("addr")
def addr(site: Site, input: Value, vec1: Value, vec2: Value) -> Value | None:
    """input + the outer product of two vectors."""
    if not (factors := known(vec1, vec2)):
        return None
    for number, each in enumerate(factors, 1):
        check_rank(each, 1, f"addr: Expected 1-D argument vec{number}, but got {each.rank}-D")
    return _added(input, (factors[0].axes[0], factors[1].axes[0]), factors)


@tensor_op("outer", "ger")
def outer(site: Site, input: Value, vec2: Value) -> Value | None:
    if not (factors := known(input, vec2)):
        return None
    for name, each in zip(("self", "vec2"), factors, strict=True):
        check_rank(each, 1, f"outer: Expected 1-D argument {name}, but got {each.rank}-D")
    return of(factors, [each.axes[0] for each in factors])


@tensor_op("inner")
def inner(site: Site, input: Value, other: Value) -> Value | None:
    """Sums over the last axes of both."""
    if not (factors := known(input, other)):
        return None
    a, b = factors
    if a.rank and b.rank and differ(a.sizes[-1], b.sizes[-1]):
        shapes = f"{text(a.sizes)} and {text(b.sizes)}"
        raise Refusal("product", f"inner() the last dimension must match on both input tensors but got shapes {shapes}")
    return of(factors, (*a.axes[:-1], *b.axes[:-1])) if a.rank and b.rank else None


@function("torch.tensordot")
def tensordot(site: Site, a: Value, b: Value, dims: Value | None = None) -> Value | None:
    """Sums over the axes named in `dims`, which are so many at the end of one and the front of the other."""
    if not (factors := known(a, b)):
        return None
    left, right = factors
    pairs = _contracted(left, right, dims)
    if pairs is None:
        return None
    for i, j in pairs:
        x, y = left.sizes[i], right.sizes[j]
        if differ(x, y) and differ(x, 1) and differ(y, 1):
            sizes = f"first has size {x} in dim {i} and second has size {y} in dim {j}"
            raise Refusal("product", f"contracted dimensions need to match, but {sizes}", left, right)
    mine, theirs = {i for i, _ in pairs}, {j for _, j in pairs}
    kept = [axis for at, axis in enumerate(left.axes) if at not in mine]
    return of(factors, [*kept, *(axis for at, axis in enumerate(right.axes) if at not in theirs)])


def _contracted(left: Tensor, right: Tensor, dims: Value | None) -> list[tuple[int, int]] | None:
    count = 2 if dims is None else int_of(dims)
    if count is not None:
        if not 0 <= count <= min(left.rank, right.rank):
            raise Refusal(
                "product", f"tensordot expects dims >= 0 and at most the number of axes, but got dims={count}"
            )
        return [(left.rank - count + at, at) for at in range(count)]
    if not isinstance(dims, Tup) or len(dims.items) != 2:
        return None
    given = [resolve(each) for each in dims.items]
    lists = [list(each.items) if isinstance(each, Tup) else [each] for each in given]
    if len(lists[0]) != len(lists[1]):
        raise Refusal("product", "both dimension lists should have same length")
    found = [
        [dimension(item, tensor.rank) for item in items] for items, tensor in zip(lists, (left, right), strict=True)
    ]
    pairs = list(zip(*found, strict=True))
    return None if any(i is None or j is None for i, j in pairs) else pairs


@function("torch.linalg.cross")
def cross(site: Site, input: Value, other: Value, dim: Value | None = None) -> Value | None:
    """The product of vectors of three numbers along one axis."""
    if not (factors := known(input, other)):
        return None
    a, b = factors
    if a.rank != b.rank:
        raise Refusal("product", "linalg.cross: inputs must have the same number of dimensions.", a, b)
    at = a.rank - 1 if dim is None else dimension(dim, a.rank)
    if at is not None and a.rank and (differ(a.sizes[at], 3) or differ(b.sizes[at], 3)):
        sizes = f"Got {a.sizes[at]} and {b.sizes[at]}"
        raise Refusal("product", f"linalg.cross: inputs dimension {at} must have length 3. {sizes}", a, b)
    return of(factors, broadcast(a, b).axes)


@function("torch.linalg.vecdot")
def vecdot(site: Site, x: Value, y: Value, dim: Value | None = None) -> Value | None:
    if not (factors := known(x, y)):
        return None
    both = broadcast(*factors)
    at = both.rank - 1 if dim is None else dimension(dim, both.rank)
    return None if at is None else of(factors, [axis for i, axis in enumerate(both.axes) if i != at])


@function("torch.linalg.multi_dot", "torch.chain_matmul", variadic=True)
def chain(site: Site, tensors: Value) -> Value | None:
    """Matrices one after the other; multi_dot takes a vector at either end."""
    given = resolve(tensors)
    factors = known(*given.items) if isinstance(given, Tup) else []
    if len(factors) < 2:
        return None
    for at, each in enumerate(factors):
        may_be_vector = site.name == "multi_dot" and at in (0, len(factors) - 1)
        if each.rank != 2 and not (may_be_vector and each.rank == 1):
            raise Refusal("product", f"{site.name}(): tensor {at} must be 2D but got {each.rank}D", each)
    for at, (a, b) in enumerate(pairwise(factors)):
        if differ(a.sizes[-1], b.sizes[0]):
            shapes = f"{text(a.sizes)} and {text(b.sizes)}"
            raise Refusal(
                "product", f"{site.name}(): tensors {at} and {at + 1} with shapes {shapes} cannot be multiplied", a, b
            )
    return of(factors, (*factors[0].axes[:-1], *factors[-1].axes[1:]))
