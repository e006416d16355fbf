"""What takes matrices: torch.linalg, and the functions that look at the last two axes."""

from __future__ import annotations

from ..dims import words
from ..values import Axis, Tensor, Tup, Value, int_of, resolve
from .alignment import broadcast
from .products import known, of
from .refusal import Refusal, differ, dimension
from .registry import Site, function, tensor_op, unknown_size

SQUARE = words("det inv slogdet matrix_power eigvals eigvalsh eig eigh cholesky matrix_exp solve")
"""Functions of torch.linalg whose first argument is a batch of square matrices."""

MATRICES = words("qr svd svdvals pinv matrix_rank matrix_norm lstsq")
"""Those that take matrices of any size."""


def _check_square(name: str, tensor: Tensor) -> None:
    if tensor.rank < 2:
        raise Refusal("product", f"{name}: The input tensor A must have at least 2 dimensions.", tensor)
    if differ(tensor.sizes[-1], tensor.sizes[-2]):
        sizes = f"{tensor.sizes[-2]} by {tensor.sizes[-1]}"
        raise Refusal("product", f"{name}: A must be batches of square matrices, but they are {sizes} matrices", tensor)


@function(*(f"torch.linalg.{name}" for name in SQUARE), "torch.inverse", "torch.det", "torch.matrix_exp")
def square(site: Site, A: Value, other: Value | None = None) -> Value | None:
    found = resolve(A)
    if not isinstance(found, Tensor):
        return None
    _check_square(f"linalg.{site.name}", found)
    if site.name in ("inv", "inverse", "matrix_power", "matrix_exp", "cholesky"):
        return of([found], found.axes).typed(found.dtype)  # of strides that are LAPACK's
    return of([found], found.axes[:-2]) if site.name == "det" else None


@function(*(f"torch.linalg.{name}" for name in MATRICES), "torch.pinverse")
def matrices(site: Site, A: Value, other: Value | None = None) -> Value | None:
    found = resolve(A)
    if isinstance(found, Tensor) and found.rank < 2:
        raise Refusal("product", f"linalg.{site.name}: The input tensor A must have at least 2 dimensions.", found)
    return None


@tensor_op("trace")
def trace(site: Site, input: Value) -> Value | None:
    found = resolve(input)
    if isinstance(found, Tensor) and found.rank != 2:
        raise Refusal("product", f"trace: expected a matrix, but got tensor with dim {found.rank}", found)
    return of([found], ()) if isinstance(found, Tensor) else None


@tensor_op("fliplr")
def fliplr(site: Site, input: Value) -> Value | None:
    found = resolve(input)
    if isinstance(found, Tensor) and found.rank < 2:
        raise Refusal("dim", "Input must be >= 2-d.", found)
    return found.replaced(found.axes) if isinstance(found, Tensor) else None


@function("torch.rot90")
def rot90(site: Site, input: Value, k: Value | None = None, dims: Value | None = None) -> Value | None:
    """A turn in the plane of two axes, the first two where none are named."""
    found, plane = resolve(input), None if dims is None else resolve(dims)
    if not isinstance(found, Tensor):
        return None
    if found.rank < 2:
        raise Refusal("dim", f"expected total dims >= 2, but got total dims = {found.rank}", found)
    pair = [dimension(each, found.rank) for each in plane.items] if isinstance(plane, Tup) else []
    if len(pair) == 2 and None not in pair and pair[0] == pair[1]:
        raise Refusal("dim", f"expected rotation dims to be different, but got dim {pair[0]} twice", found)
    return None


SPLIT = {"hsplit": 1, "vsplit": 0, "dsplit": 2}


@tensor_op(*SPLIT)
def split_along(site: Site, input: Value, indices_or_sections: Value) -> Value | None:
    """Parts of the same size along the second, first or third axis."""
    found, count = resolve(input), int_of(indices_or_sections)
    if not isinstance(found, Tensor):
        return None
    at, least = SPLIT[site.name], {"hsplit": 1, "vsplit": 2, "dsplit": 3}[site.name]
    if found.rank < least:
        sentence = f"torch.{site.name} requires a tensor with at least {least} dimension, but got {found.rank}"
        raise Refusal("dim", sentence, found)
    size = found.sizes[0 if found.rank == 1 else at].value
    if count and size is not None and size % count:
        sentence = f"attempted to split along dimension {at}, but the size of the dimension {size} is not divisible by"
        raise Refusal("parts", f"torch.{site.name} {sentence} the split_size {count}!", found)
    return None


@function("torch.block_diag", "torch.cartesian_prod", variadic=True)
def of_few_axes(site: Site, tensors: Value) -> Value | None:
    most = 2 if site.name == "block_diag" else 1
    for at, each in enumerate(known(*tensors.items) if isinstance(tensors, Tup) else ()):
        if each.rank > most:
            raise Refusal("join", f"torch.{site.name}: Input {at} has {each.rank} dimensions", each)
    return None


@function("torch.bucketize")
def bucketize(site: Site, input: Value, boundaries: Value) -> Value | None:
    edges = resolve(boundaries)
    if isinstance(edges, Tensor) and edges.rank != 1:
        raise Refusal("dim", f"boundaries tensor must be 1 dimension, but got dim({edges.rank})", edges)
    return None


@function("torch.cdist")
def cdist(site: Site, x1: Value, x2: Value) -> Value | None:
    """(..., P, M) and (..., R, M) -> (..., P, R)."""
    if not (pair := known(x1, x2)):
        return None
    a, b = pair
    for each in pair:
        if each.rank < 2:
            raise Refusal("product", f"cdist only supports at least 2D tensors, got: {each.rank}D", each)
    if differ(a.sizes[-1], b.sizes[-1]):
        sizes = f"X1: {a.sizes[-1]} X2: {b.sizes[-1]}"
        raise Refusal("product", f"X1 and X2 must have the same number of columns. {sizes}", a, b)
    lead = broadcast(Tensor(a.axes[:-2]), Tensor(b.axes[:-2])).axes
    return of(pair, (*lead, a.axes[-2], b.axes[-2]))


@tensor_op("masked_select")
def masked_select(site: Site, input: Value, mask: Value) -> Value | None:
    """What a mask chooses, one after the other."""
    if not (pair := known(input, mask)):
        return None
    broadcast(*pair)
    return of(pair[:1], (Axis.of(unknown_size("chosen")),))
