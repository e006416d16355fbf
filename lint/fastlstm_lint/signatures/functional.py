"""torch.nn.functional: the functions that do what a module does, with their weights given."""

from __future__ import annotations

from ..contract import FEATURE
from ..dims import product
from ..tensors import CONTIGUOUS
from ..values import Axis, Module, Num, Tensor, Value, resolve
from . import linalg, neural, products
from .refusal import Refusal, differ, text
from .registry import Site, dims_of, function, unknown_size


@function("torch.nn.functional.linear")
def linear(site: Site, input: Value, weight: Value, bias: Value | None = None) -> Value | None:
    """(..., in_features) with weights (out_features, in_features)."""
    value, rows = resolve(input), resolve(weight)
    size = unknown_size("out_features")
    added = None if bias is None else resolve(bias)
    if isinstance(rows, Tensor) and rows.rank > 2:
        raise Refusal("module", f"t() expects a tensor with <= 2 dimensions, but self is {rows.rank}D", rows)
    if isinstance(rows, Tensor) and rows.rank < 2:
        return linalg.matmul_shape(value, rows) if added is None else None
    if isinstance(rows, Tensor):
        size = rows.sizes[0]
        if isinstance(value, Tensor) and value.rank and differ(value.sizes[-1], rows.sizes[1]):
            shapes = f"{product(value.sizes[:-1])}x{value.sizes[-1]} and {rows.sizes[1]}x{size}"
            raise Refusal("module", f"mat1 and mat2 shapes cannot be multiplied ({shapes})")
        if isinstance(added, Tensor) and isinstance(value, Tensor) and value.rank:
            products.check_fits(added, (*value.sizes[:-1], size))
    result = neural.with_last(value, Axis.of(size, FEATURE), same_rank=True)
    return result.typed(value.dtype, CONTIGUOUS) if isinstance(result, Tensor) and isinstance(value, Tensor) else result


@function("torch.nn.functional.layer_norm")
def layer_norm(
    site: Site, input: Value, normalized_shape: Value, weight: Value | None = None, bias: Value | None = None
) -> Value | None:
    value = resolve(input)
    if isinstance(normalized_shape, Num):
        sentence = "layer_norm(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        raise Refusal("type", sentence, sure=True)
    wanted = dims_of(normalized_shape)
    for name, given in (("weight", weight), ("bias", bias)):
        each = None if given is None else resolve(given)
        if wanted is None or not isinstance(each, Tensor):
            continue
        if each.rank != len(wanted) or any(
            b is not None and differ(a, b) for a, b in zip(each.sizes, wanted, strict=True)
        ):
            raise Refusal(
                "module",
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {text(each.sizes)} "
                f"and normalized_shape = {text(wanted)}",
                each,
            )
    return neural.layer_normed(normalized_shape, value) if isinstance(value, Tensor) else value


@function("torch.nn.functional.embedding")
def embedding(site: Site, input: Value, weight: Value) -> Value | None:
    value, rows = resolve(input), resolve(weight)
    known = isinstance(rows, Tensor) and rows.rank == 2
    sizes = rows.sizes if known and isinstance(rows, Tensor) else (unknown_size("tokens"), unknown_size("features"))
    neural.check_tokens(Module("Embedding", {"num_embeddings": Num(sizes[0])}), value)
    return neural.with_last(value, Axis.of(sizes[1], FEATURE), same_rank=False)


@function("torch.nn.functional.conv1d")
def conv1d(
    site: Site,
    input: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Value | None = None,
    padding: Value | None = None,
    dilation: Value | None = None,
    groups: Value | None = None,
) -> Value | None:
    value, kernel = resolve(input), resolve(weight)
    if not isinstance(value, Tensor) or not isinstance(kernel, Tensor) or kernel.rank != 3 or groups is not None:
        return None
    out, into, width = (Num(size) for size in kernel.sizes)
    given = {"in_channels": into, "out_channels": out, "kernel_size": width}
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return neural.conv(Module("Conv1d", given | {name: one for name, one in options.items() if one is not None}), value)


def _pool(kind: str, value: Value, given: dict[str, Value | None]) -> Value | None:
    source = resolve(value)
    config = {name: each for name, each in given.items() if each is not None}
    return neural.LAWS[kind](Module(kind, config), source) if isinstance(source, Tensor) else None


@function("torch.nn.functional.max_pool1d", "torch.nn.functional.avg_pool1d")
def pool1d(
    site: Site, input: Value, kernel_size: Value, stride: Value | None = None, padding: Value | None = None
) -> Value | None:
    if not site.complete or set(site.keywords) & {"dilation", "ceil_mode", "return_indices"}:
        return None
    kind = "MaxPool1d" if site.name == "max_pool1d" else "AvgPool1d"
    return _pool(kind, input, {"kernel_size": kernel_size, "stride": stride, "padding": padding})


@function("torch.nn.functional.adaptive_avg_pool1d", "torch.nn.functional.adaptive_max_pool1d")
def adaptive_pool1d(site: Site, input: Value, output_size: Value) -> Value | None:
    kind = "AdaptiveAvgPool1d" if site.name == "adaptive_avg_pool1d" else "AdaptiveMaxPool1d"
    return _pool(kind, input, {"output_size": output_size})
